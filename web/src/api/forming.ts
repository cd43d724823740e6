/** Which candles still form, to a reader: fewer than those that may still change. */

import { RESOLUTION_MINUTES } from '../lib/resolution';
import type { Answer } from './ohlc';

const MINUTE_MS = 60_000;
/** For so long the vendor's word on a forming session stands; its answer expires then, or before. */
const FORMING_LIFE_MS = 5 * MINUTE_MS;

/**
 * How many candles at the end still form. A session that is not final may change as a whole, and an intraday answer counts
 * all its candles; but all those have closed whose time was over when the vendor was asked.
 */
export function formingCandles({ candles, forming, resolution, cache_expires_at }: Answer): number {
  if (resolution === 'D' || forming === 0) return forming;
  const heardAtLeast = Date.parse(cache_expires_at ?? '') - FORMING_LIFE_MS;
  const closesAt = Date.parse(candles.date.at(-1) ?? '') + RESOLUTION_MINUTES[resolution] * MINUTE_MS;
  return closesAt <= heardAtLeast ? 0 : 1;
}
