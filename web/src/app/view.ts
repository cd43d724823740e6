/** What is on screen, as the address says it: tickers, span, resolution, adjustment. */

import type { Span } from '../api/ohlc';
import { type Adjustment, ADJUSTMENTS, isOneOf, type RangeName, RANGES, type Resolution, RESOLUTIONS } from '../lib/resolution';

export const CHARTS_MAX = 6;

export interface View {
  tickers: string[];
  span: Span;
  resolution: Resolution;
  /** Null: what the source gives by itself. */
  adjust: Adjustment | null;
  /** Whether answers with holes are welcome. */
  partial: boolean;
}

const TICKER = /^[A-Z0-9][A-Z0-9.-]{0,11}$/;
const IMPOSSIBLE_CHARACTERS_MAX = 40;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The ticker as the API normalises it: upper case, class shares with a dot; null when it cannot be one. */
export function normaliseTicker(text: string): string | null {
  const ticker = text.trim().toUpperCase().replace(/^([A-Z]+)-([A-Z])$/, '$1.$2');
  return TICKER.test(ticker) ? ticker : null;
}

/** The ticker as the address carries it. What cannot be one stays as it is: the API says so better than silence would. */
export function tickerOf(text: string): string {
  // By whole characters: half of one cannot be written into an address.
  return normaliseTicker(text) ?? Array.from(text.trim().toUpperCase()).slice(0, IMPOSSIBLE_CHARACTERS_MAX).join('');
}

/** Read the view from an address (`/?ticker=AAPL&…`, or `/AAPL`); what is missing or impossible takes its default. */
export function parseView(path: string, search: string, defaultTicker: string): View {
  const query = new URLSearchParams(search);
  const tickers = (query.get('ticker') ?? path.slice(1))
    .split(',')
    .map(tickerOf)
    .filter((ticker) => ticker !== '');
  const range = (query.get('range') ?? '').toUpperCase();
  const [startDate, endDate] = [query.get('start_date') ?? '', query.get('end_date') ?? ''];
  const resolution = (query.get('resolution') ?? '').toUpperCase();
  const adjust = query.get('adjust');
  return {
    tickers: tickers.length > 0 ? [...new Set(tickers)].slice(0, CHARTS_MAX) : [defaultTicker],
    span: DAY.test(startDate) && DAY.test(endDate) ? { startDate, endDate } : { range: knownRange(range) },
    resolution: isOneOf(RESOLUTIONS, resolution) ? resolution : 'D',
    adjust: isOneOf(ADJUSTMENTS, adjust) ? adjust : null,
    partial: query.get('partial') === 'true',
  };
}

function knownRange(text: string): RangeName {
  return isOneOf(RANGES, text) ? text : '1Y';
}

/** The query of the view's address, `?` included; always in the same order. */
export function viewSearch(view: View): string {
  const query = new URLSearchParams();
  query.set('ticker', view.tickers.join(','));
  if ('range' in view.span) query.set('range', view.span.range);
  else {
    query.set('start_date', view.span.startDate);
    query.set('end_date', view.span.endDate);
  }
  query.set('resolution', view.resolution);
  if (view.adjust !== null) query.set('adjust', view.adjust);
  if (view.partial) query.set('partial', 'true');
  return `?${query.toString().replaceAll('%2C', ',')}`;
}
