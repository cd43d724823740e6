/** The cache at work: counters, breaker, allowance, and what the source can do. */

import { queryOptions } from '@tanstack/react-query';

import { type Adjustment, ADJUSTMENTS, type Resolution, RESOLUTIONS } from '../lib/resolution';
import { count, list, moment, number, object, oneOf, orNull, some, text, truth } from './decode';
import { getJson } from './http';

export interface ResolutionTraits {
  adjustments: Adjustment[];
  synthetic: boolean;
}

export interface Status {
  version: string;
  source: string;
  market_date: string;
  data_until: string | null;
  resolutions: Partial<Record<Resolution, ResolutionTraits>>;
  memory: {
    entries: number;
    entries_max: number;
    bytes: number;
    bytes_max: number;
    hits: number;
    misses: number;
    evictions: number;
  };
  store: { name: string; breaker: { state: string; failures: number; open_until: string | null } };
  vendor: {
    name: string;
    calls: number;
    allowance: number | null;
    blocked_until: string | null;
    calls_saved: number;
  };
}

export const statusBody = object<Status>({
  version: text,
  source: text,
  market_date: moment,
  data_until: orNull(moment),
  resolutions: some(RESOLUTIONS, object<ResolutionTraits>({ adjustments: list(oneOf(ADJUSTMENTS)), synthetic: truth })),
  memory: object<Status['memory']>({
    entries: count,
    entries_max: count,
    bytes: count,
    bytes_max: count,
    hits: count,
    misses: count,
    evictions: count,
  }),
  store: object<Status['store']>({
    name: text,
    breaker: object<Status['store']['breaker']>({ state: text, failures: count, open_until: orNull(moment) }),
  }),
  vendor: object<Status['vendor']>({
    name: text,
    calls: number,
    allowance: orNull(number),
    blocked_until: orNull(moment),
    calls_saved: number,
  }),
});

const POLL_MS = 5000;

/** Polled while the page is visible; it is also how the page notices that the server is gone. */
export const statusQuery = queryOptions({
  queryKey: ['status'] as const,
  queryFn: async ({ signal }) => (await getJson('/api/v2/status', statusBody, { signal })).body,
  refetchInterval: POLL_MS,
  staleTime: POLL_MS,
  retry: false,
});
