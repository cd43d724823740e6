/** Candles of one ticker and span, with the certificate and the provenance they came with. */

import { infiniteQueryOptions, type QueryClient, type QueryKey, queryOptions } from '@tanstack/react-query';

import { daysBetween, marketDate, shiftDay } from '../lib/newYork';
import { type Adjustment, ADJUSTMENTS, type RangeName, type Resolution, RESOLUTIONS } from '../lib/resolution';
import { markByHand, takenByHand } from './byHand';
import { count, type Decoder, drawable, list, moment, number, object, oneOf, orNull, text, truth, Unreadable } from './decode';
import { getJson } from './http';
import { quotaWaitMs } from './retry';

export interface Columns {
  date: string[];
  open: number[];
  high: number[];
  low: number[];
  close: number[];
  volume: number[];
}

/** A split: its ex-date, and the new shares per old one. */
export interface Split {
  date: string;
  ratio: number;
}

export interface OhlcBody {
  ticker: string;
  candles: Columns;
  time_range: string;
  start_date: string;
  end_date: string;
  count: number;
  source: string;
  cache_expires_at: string | null;
  resolution: Resolution;
  resolution_fallback: boolean;
  fallback_message: string | null;
  adjustment: Adjustment;
  expected: number;
  known_empty: number;
  forming: number;
  complete: boolean;
  missing: string[];
  calendar_version: string;
  data_until: string | null;
  synthetic: boolean;
  stale: boolean;
  /** Why it is stale, and why sessions are missing, in a sentence. */
  stale_reason: string | null;
  missing_reason: string | null;
  /** Close of the last session before the span, on the scale of the candles. */
  previous_close: number | null;
  /** Market date of the first candle, where the ticker was not listed the session before. */
  listed_on: string | null;
  /** Splits that the prices are not adjusted for, from the close before on; null where they are not known. */
  unadjusted_splits: Split[] | null;
}

const columns = object<Columns>({
  date: list(moment),
  open: list(drawable),
  high: list(drawable),
  low: list(drawable),
  close: list(drawable),
  volume: list(drawable),
});

/** Columns of one length: a chart that reads beyond the end of one draws candles without a price. */
const evenColumns: Decoder<Columns> = (value, path) => {
  const candles = columns(value, path);
  for (const [name, column] of Object.entries(candles) as [string, unknown[]][]) {
    if (column.length !== candles.date.length) throw new Unreadable(`${path}.${name}`, 'as long as the dates');
  }
  return candles;
};

export const ohlcBody = object<OhlcBody>({
  ticker: text,
  candles: evenColumns,
  time_range: text,
  start_date: moment,
  end_date: moment,
  count,
  source: text,
  cache_expires_at: orNull(moment),
  resolution: oneOf(RESOLUTIONS),
  resolution_fallback: truth,
  fallback_message: orNull(text),
  adjustment: oneOf(ADJUSTMENTS),
  expected: count,
  known_empty: count,
  forming: count,
  complete: truth,
  missing: list(moment),
  calendar_version: text,
  data_until: orNull(moment),
  synthetic: truth,
  stale: truth,
  stale_reason: orNull(text),
  missing_reason: orNull(text),
  previous_close: orNull(drawable),
  listed_on: orNull(moment),
  unadjusted_splits: orNull(list(object<Split>({ date: moment, ratio: number }))),
});

/** Where an answer came from, how old it was on arrival, and how long it stays true. */
export interface Provenance {
  tier: string;
  ageSeconds: number;
  receivedAtMs: number;
  cacheKey: string | null;
  degraded: boolean;
  freshForSeconds: number | null;
  elapsedMs: number;
}

export interface Answer extends OhlcBody {
  provenance: Provenance;
}

export type Span = { range: RangeName } | { startDate: string; endDate: string };

export interface OhlcRequest {
  ticker: string;
  span: Span;
  resolution: Resolution;
  adjust: Adjustment | null;
  partial: boolean;
}

const COLUMNS = 'application/vnd.ohlcache.columns+json';
const REFRESH_LEAST_MS = 15_000;
const REFRESH_MOST_MS = 6 * 3600_000;
const KEPT_MS = 30 * 60_000;

interface Asked {
  queryKey: QueryKey;
  signal: AbortSignal;
}

export function ohlcPath(request: OhlcRequest): string {
  const query = new URLSearchParams();
  if ('range' in request.span) query.set('range', request.span.range);
  else {
    query.set('start_date', request.span.startDate);
    query.set('end_date', request.span.endDate);
  }
  query.set('resolution', request.resolution);
  if (request.adjust !== null) query.set('adjust', request.adjust);
  if (request.partial) query.set('partial', 'true');
  return `/api/v2/tickers/${encodeURIComponent(request.ticker)}/ohlc?${query.toString()}`;
}

async function fetchOhlc(request: OhlcRequest, { queryKey, signal }: Asked): Promise<Answer> {
  const path = ohlcPath(request);
  const asked = { signal, accept: COLUMNS, byHand: takenByHand(queryKey) };
  const { body, headers, elapsedMs } = await getJson(path, ohlcBody, asked);
  return { ...body, provenance: readProvenance(headers, body.cache_expires_at, elapsedMs, Date.now()) };
}

export function readProvenance(headers: Headers, expiresAt: string | null, elapsedMs: number, now: number): Provenance {
  return {
    tier: headers.get('X-Cache-Source') ?? 'unknown',
    ageSeconds: Number(headers.get('X-Cache-Age')) || 0,
    receivedAtMs: now,
    cacheKey: headers.get('X-Cache-Key'),
    degraded: headers.get('X-Cache-Degraded') === 'true',
    freshForSeconds: freshForSeconds(headers, expiresAt),
    elapsedMs,
  };
}

/** By the server's clock, never this machine's: its word on the time to live, else by when the answer expires. */
function freshForSeconds(headers: Headers, expiresAt: string | null): number | null {
  const ttl = /(?:^|;)\s*ttl=(-?\d+)/.exec(headers.get('Cache-Status') ?? '')?.[1];
  if (ttl !== undefined) return Math.max(0, Number(ttl));
  const seconds = (Date.parse(expiresAt ?? '') - Date.parse(headers.get('Date') ?? '')) / 1000;
  return seconds > 0 ? seconds : null;
}

/** How long after its arrival an answer is asked for again; false when nothing is known to change it. */
export function refreshAfterMs(answer: Answer | undefined): number | false {
  const seconds = answer?.provenance.freshForSeconds ?? null;
  if (seconds === null) return false;
  return Math.min(REFRESH_MOST_MS, Math.max(REFRESH_LEAST_MS, seconds * 1000));
}

export function ohlcQuery(request: OhlcRequest) {
  return queryOptions({
    queryKey: ['ohlc', request] as const,
    queryFn: (asked) => fetchOhlc(request, asked),
    gcTime: KEPT_MS,
    structuralSharing: false,
    staleTime: (query) => refreshAfterMs(query.state.data) || Infinity,
    refetchInterval: (query) => quotaWaitMs(query.state.error, Date.now()) || refreshAfterMs(query.state.data),
  });
}

/** Drop what the page holds of `request`, older candles too: it may be what failed. The next request is a person's. */
export function startAnew(client: QueryClient, request: OhlcRequest): void {
  const { queryKey } = ohlcQuery(request);
  client.removeQueries({ queryKey, exact: true });
  client.removeQueries({ queryKey: ['ohlc-older', { ...request, span: null }] });
  markByHand(queryKey);
}

/** The first market date of the exchange calendar; the API refuses spans before it. */
const CALENDAR_FIRST_DAY = '1970-01-02';

/** Whether there may be candles before those of `page`: not before the listing, nor before the calendar begins. */
export function mayHaveOlder({ count, expected, start_date }: Answer): boolean {
  return start_date > CALENDAR_FIRST_DAY && (count > 0 || expected === 0);
}

/** Candles before an answer, one span of the same length after the other, until the ticker's first session. */
export function olderQuery(request: OhlcRequest, base: Answer | undefined) {
  const firstDate = base?.candles.date[0];
  const start = base === undefined || firstDate === undefined ? null : base.start_date;
  const days = base === undefined ? 0 : olderSpanDays(base);
  return infiniteQueryOptions({
    queryKey: ['ohlc-older', { ...request, span: null, start, days }] as const,
    queryFn: ({ pageParam, queryKey, signal }) =>
      fetchOhlc(
        { ...request, span: { startDate: olderStart(pageParam, days), endDate: pageParam } },
        { queryKey, signal },
      ),
    initialPageParam: shiftDay(start ?? '2000-01-01', -1),
    getNextPageParam: (page) => (mayHaveOlder(page) ? shiftDay(marketDate(page.start_date), -1) : undefined),
    enabled: false,
    gcTime: KEPT_MS,
    staleTime: Infinity,
    structuralSharing: false,
  });
}

// One more screen or two per call, within what one vendor call gives anyway.
const OLDER_DAYS_LEAST = 5;
const OLDER_DAYS_MOST: Record<Resolution, number> = { '1': 90, '5': 365, '15': 365, '30': 365, '60': 730, D: 3650 };

export function olderStart(end: string, days: number): string {
  const start = shiftDay(end, -days);
  return start < CALENDAR_FIRST_DAY ? CALENDAR_FIRST_DAY : start;
}

export function olderSpanDays(answer: Answer): number {
  const span = daysBetween(answer.start_date, answer.end_date) + 1;
  const least = answer.resolution === 'D' ? 365 : OLDER_DAYS_LEAST;
  return Math.min(OLDER_DAYS_MOST[answer.resolution], Math.max(least, span));
}
