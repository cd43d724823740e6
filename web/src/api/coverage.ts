/** What the store holds of one ticker, session by session. */

import { keepPreviousData, queryOptions } from '@tanstack/react-query';

import type { Resolution } from '../lib/resolution';
import { getJson } from './http';

export const SESSION_STATES = ['final', 'forming', 'known-empty', 'missing', 'not-due', 'unlisted'] as const;
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

export function coverageQuery(ticker: string, resolution: Resolution, start: string, end: string) {
  const query = new URLSearchParams({ resolution, start_date: start, end_date: end });
  return queryOptions({
    queryKey: ['coverage', ticker, resolution, start, end] as const,
    queryFn: async ({ signal }) =>
      (await getJson<Coverage>(`/api/v2/tickers/${encodeURIComponent(ticker)}/coverage?${query.toString()}`, signal))
        .body,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    retry: false,
  });
}
