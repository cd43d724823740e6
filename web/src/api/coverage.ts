/** What the store holds of one ticker, session by session. */

import { keepPreviousData, queryOptions } from '@tanstack/react-query';

import { type Resolution, RESOLUTIONS } from '../lib/resolution';
import { count, list, moment, object, oneOf, orNull, text } from './decode';
import { getJson } from './http';

export const SESSION_STATES = ['final', 'forming', 'known-empty', 'rejected', 'missing', 'not-due', 'unlisted'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export interface SessionCoverage {
  date: string;
  state: SessionState;
  candles: number;
  observed_at: string | null;
}

export interface Coverage {
  ticker: string;
  resolution: Resolution;
  source: string;
  sessions: SessionCoverage[];
}

export const coverageBody = object<Coverage>({
  ticker: text,
  resolution: oneOf(RESOLUTIONS),
  source: text,
  sessions: list(
    object<SessionCoverage>({ date: moment, state: oneOf(SESSION_STATES), candles: count, observed_at: orNull(moment) }),
  ),
});

export function coverageQuery(ticker: string, resolution: Resolution, start: string, end: string) {
  const query = new URLSearchParams({ resolution, start_date: start, end_date: end });
  return queryOptions({
    queryKey: ['coverage', ticker, resolution, start, end] as const,
    queryFn: async ({ signal }) =>
      (
        await getJson(`/api/v2/tickers/${encodeURIComponent(ticker)}/coverage?${query.toString()}`, coverageBody, { signal })
      ).body,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    retry: false,
  });
}
