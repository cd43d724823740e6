import { describe, expect, it } from 'vitest';

import { type Answer, mayHaveOlder, ohlcPath, olderSpanDays, olderStart, readProvenance, refreshAfterMs } from './ohlc';

const EXPIRES = '2026-01-01T00:05:00Z';

function answer(part: Partial<Answer>): Answer {
  return {
    ticker: 'AAPL',
    candles: { date: [], open: [], high: [], low: [], close: [], volume: [] },
    time_range: '1Y',
    start_date: '2013-12-31',
    end_date: '2014-12-31',
    count: 0,
    source: 'sample',
    cache_expires_at: EXPIRES,
    resolution: 'D',
    resolution_fallback: false,
    fallback_message: null,
    adjustment: 'splits',
    expected: 0,
    known_empty: 0,
    forming: 0,
    complete: true,
    missing: [],
    calendar_version: '1',
    data_until: null,
    synthetic: false,
    stale: false,
    stale_reason: null,
    missing_reason: null,
    previous_close: null,
    listed_on: null,
    unadjusted_splits: [],
    provenance: readProvenance(new Headers(), EXPIRES, 1, 0),
    ...part,
  };
}

describe('requests', () => {
  it('say everything, in the API’s words', () => {
    const request = { ticker: 'BRK.B', resolution: 'D', adjust: 'all', partial: false } as const;
    expect(ohlcPath({ ...request, span: { range: '1Y' } })).toBe(
      '/api/v2/tickers/BRK.B/ohlc?range=1Y&resolution=D&adjust=all',
    );
    expect(ohlcPath({ ...request, partial: true, span: { startDate: '2014-01-02', endDate: '2014-02-03' } })).toBe(
      '/api/v2/tickers/BRK.B/ohlc?start_date=2014-01-02&end_date=2014-02-03&resolution=D&adjust=all&partial=true',
    );
  });
});

describe('provenance', () => {
  it('reads tier, age and time to live from the headers', () => {
    const headers = new Headers({
      'X-Cache-Source': 'in-memory',
      'X-Cache-Age': '180',
      'X-Cache-Key': 'ohlc:AAPL:D:1Y:2014-12-31',
      'Cache-Status': 'ohlcache; hit; ttl=300; detail=in-memory',
    });
    expect(readProvenance(headers, EXPIRES, 7, 5)).toEqual({
      tier: 'in-memory',
      ageSeconds: 180,
      receivedAtMs: 5,
      cacheKey: 'ohlc:AAPL:D:1Y:2014-12-31',
      degraded: false,
      freshForSeconds: 300,
      elapsedMs: 7,
    });
  });

  it('takes the time to live from the expiry when there is none, by the server’s clock', () => {
    const headers = new Headers({ Date: 'Thu, 01 Jan 2026 00:00:00 GMT' });
    expect(readProvenance(headers, EXPIRES, 1, 0).freshForSeconds).toBe(300);
    const replay = new Headers({ Date: 'Fri, 01 Jan 2027 00:00:00 GMT' });
    expect(readProvenance(replay, EXPIRES, 1, 0).freshForSeconds).toBeNull();
  });

  it('asks again when the answer may have changed, but not in a frenzy', () => {
    const fresh = (seconds: number | null): Answer => {
      const made = answer({});
      return { ...made, provenance: { ...made.provenance, freshForSeconds: seconds } };
    };
    expect(refreshAfterMs(fresh(300))).toBe(300_000);
    expect(refreshAfterMs(fresh(0))).toBe(15_000);
    expect(refreshAfterMs(fresh(null))).toBe(false);
    expect(refreshAfterMs(undefined)).toBe(false);
  });
});

describe('older candles', () => {
  it('are not asked for before the listing, nor before the calendar begins', () => {
    expect(mayHaveOlder(answer({ count: 252, expected: 252 }))).toBe(true);
    expect(mayHaveOlder(answer({ count: 0, expected: 252 }))).toBe(false);
    expect(mayHaveOlder(answer({ count: 252, expected: 252, start_date: '1970-01-02' }))).toBe(false);
    expect(olderStart('1971-06-30', 3650)).toBe('1970-01-02');
    expect(olderStart('2014-06-30', 365)).toBe('2013-06-30');
  });

  it('go on beyond a week without a session', () => {
    expect(mayHaveOlder(answer({ count: 0, expected: 0, start_date: '2001-09-11' }))).toBe(true);
  });

  it('come in spans as long as what is on screen, at least a year of days', () => {
    expect(olderSpanDays(answer({}))).toBe(366);
    expect(olderSpanDays(answer({ start_date: '2014-12-01' }))).toBe(365);
    expect(olderSpanDays(answer({ resolution: '1' }))).toBe(90);
    expect(olderSpanDays(answer({ resolution: '5', start_date: '2014-12-31' }))).toBe(5);
  });
});
