/** Which combinations cannot be had, and why: said in a sentence beside the control, never hidden. */

import type { Span } from '../../api/ohlc';
import type { Status } from '../../api/status';
import { daysBetween } from '../../lib/newYork';
import {
  type Adjustment,
  ADJUSTMENT_NAMES,
  type RangeName,
  RANGE_NAMES,
  type Resolution,
  RESOLUTION_NAMES,
} from '../../lib/resolution';

/** The API's own limit of candles in one answer. */
export const CANDLES_MAX = 200_000;

const CANDLES_A_SESSION: Record<Resolution, number> = { '1': 390, '5': 78, '15': 26, '30': 13, '60': 7, D: 1 };
const SESSIONS_MOST: Record<RangeName, number> = {
  '1D': 1,
  '1W': 6,
  '1M': 23,
  '3M': 66,
  '6M': 130,
  '1Y': 254,
  '5Y': 1264,
  YTD: 254,
};

/** Zero for dates that are none: what is wrong with them is the API's to say. */
export function candlesAtMost(span: Span, resolution: Resolution): number {
  const sessions =
    'range' in span ? SESSIONS_MOST[span.range] : ((daysBetween(span.startDate, span.endDate) + 1) * 5) / 7 + 1;
  return Math.max(0, Math.ceil(sessions * CANDLES_A_SESSION[resolution]) || 0);
}

export function tooMany(span: Span, resolution: Resolution): string | null {
  const candles = candlesAtMost(span, resolution);
  if (candles <= CANDLES_MAX) return null;
  const name = 'range' in span ? RANGE_NAMES[span.range] : 'This span';
  const [count, most] = [Math.round(candles / 1000), CANDLES_MAX / 1000];
  return `${name} of ${RESOLUTION_NAMES[resolution]} candles would be some ${count} thousand; one answer holds ${most} thousand. Choose wider candles or a shorter range.`;
}

export function resolutionRefusal(span: Span, resolution: Resolution, status: Status | undefined): string | null {
  if (status !== undefined && status.resolutions[resolution] === undefined) {
    return `The source ${status.source} has no ${RESOLUTION_NAMES[resolution]} candles.`;
  }
  return tooMany(span, resolution);
}

export function adjustmentRefusal(
  resolution: Resolution,
  adjustment: Adjustment,
  status: Status | undefined,
): string | null {
  const traits = status?.resolutions[resolution];
  if (status === undefined || traits === undefined || traits.adjustments.includes(adjustment)) return null;
  const able = traits.adjustments.map((name) => ADJUSTMENT_NAMES[name]).join(' or ');
  return `The source ${status.source} gives ${RESOLUTION_NAMES[resolution]} candles only ${able}.`;
}
