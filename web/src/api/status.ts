/** The cache at work: counters, breaker, allowance, and what the source can do. */

import { queryOptions } from '@tanstack/react-query';

import type { Adjustment, Resolution } from '../lib/resolution';
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

const POLL_MS = 5000;

/** Polled while the page is visible; it is also how the page notices that the server is gone. */
export const statusQuery = queryOptions({
  queryKey: ['status'] as const,
  queryFn: async ({ signal }) => (await getJson<Status>('/api/v2/status', signal)).body,
  refetchInterval: POLL_MS,
  staleTime: POLL_MS,
  retry: false,
});
