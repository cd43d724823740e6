/** When a failed request is worth repeating: never for the caller's own mistakes, thrice when the server stumbled. */

import { ApiError } from './errors';

const SERVER_RETRIES_MAX = 3;
const BACKOFF_FIRST_MS = 1000;
const QUOTA_WAIT_DEFAULT_MS = 60_000;
const QUOTA_WAIT_LEAST_MS = 1000;

export function shouldRetry(failures: number, error: Error): boolean {
  return error instanceof ApiError && error.status >= 500 && failures < SERVER_RETRIES_MAX;
}

/** 1 s, 2 s, 4 s. */
export function retryDelayMs(attempt: number): number {
  return BACKOFF_FIRST_MS * 2 ** attempt;
}

/** After a 429: how long until the request repeats itself; false for every other outcome. */
export function quotaWaitMs(error: Error | null, now: number): number | false {
  if (!(error instanceof ApiError) || error.status !== 429) return false;
  if (error.retryAt === null) return QUOTA_WAIT_DEFAULT_MS;
  return Math.max(QUOTA_WAIT_LEAST_MS, error.retryAt - now);
}
