import { describe, expect, it } from 'vitest';

import { ApiError, retryAfterSeconds, Unreachable } from './errors';
import { quotaWaitMs, retryDelayMs, shouldRetry } from './retry';

const failed = (status: number, wait: number | null = null): ApiError =>
  new ApiError(status, { code: 'x', message: 'x' }, wait);

describe('retries (P3)', () => {
  it('never repeats the caller’s own mistakes', () => {
    for (const status of [400, 401, 403, 404, 429]) expect(shouldRetry(0, failed(status))).toBe(false);
  });

  it('repeats a server error three times, waiting twice as long each time', () => {
    expect([0, 1, 2, 3].map((failures) => shouldRetry(failures, failed(503)))).toEqual([true, true, true, false]);
    expect([0, 1, 2].map(retryDelayMs)).toEqual([1000, 2000, 4000]);
  });

  it('leaves an unreachable server to the connection', () => {
    expect(shouldRetry(0, new Unreachable('x'))).toBe(false);
  });

  it('waits for Retry-After after a 429, and a minute when there is none', () => {
    const now = Date.now();
    expect(quotaWaitMs(failed(429, 30), now)).toBeGreaterThan(29_000);
    expect(quotaWaitMs(failed(429), now)).toBe(60_000);
    expect(quotaWaitMs(failed(503, 30), now)).toBe(false);
    expect(quotaWaitMs(null, now)).toBe(false);
  });

  it('reads Retry-After as seconds or as a date', () => {
    expect(retryAfterSeconds('12', 0)).toBe(12);
    expect(retryAfterSeconds('Thu, 01 Jan 1970 00:01:00 GMT', 0)).toBe(60);
    expect(retryAfterSeconds('soon', 0)).toBeNull();
    expect(retryAfterSeconds(null, 0)).toBeNull();
  });
});
