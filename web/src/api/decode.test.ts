import { describe, expect, it } from 'vitest';

import { coverageBody } from './coverage';
import { type Decoder, Unreadable } from './decode';
import { ohlcBody } from './ohlc';
import { statusBody } from './status';
import { tickersBody } from './tickers';

const CANDLES = { date: ['2014-12-30', '2014-12-31'], open: [1, 2], high: [2, 3], low: [1, 1], close: [2, 2], volume: [7, 0] };
const OHLC = {
  ticker: 'AAPL',
  candles: CANDLES,
  time_range: '1W',
  start_date: '2014-12-30',
  end_date: '2014-12-31',
  count: 2,
  source: 'sample',
  cache_expires_at: null,
  resolution: 'D',
  resolution_fallback: false,
  fallback_message: null,
  adjustment: 'splits',
  expected: 2,
  known_empty: 0,
  forming: 0,
  complete: true,
  missing: ['2014-12-29'],
  calendar_version: '4',
  data_until: '2015-01-01T01:00:00Z',
  synthetic: false,
  stale: false,
  stale_reason: null,
  missing_reason: null,
  previous_close: 112.52,
  listed_on: null,
  unadjusted_splits: [{ date: '2014-06-09', ratio: 7 }],
};
const STATUS = {
  version: '0.1.0',
  source: 'sample',
  market_date: '2014-12-31',
  data_until: null,
  resolutions: { D: { adjustments: ['splits', 'none'], synthetic: false } },
  memory: { entries: 0, entries_max: 1000, bytes: 0, bytes_max: 268435456, hits: 0, misses: 0, evictions: 0 },
  store: { name: 'memory', breaker: { state: 'closed', failures: 0, open_until: null } },
  vendor: { name: 'sample', calls: 0, allowance: null, blocked_until: null, calls_saved: 0 },
};
const SESSION = { date: '2014-12-31', state: 'final', candles: 1, observed_at: null };
const COVERAGE = { ticker: 'AAPL', resolution: 'D', source: 'sample', sessions: [SESSION] };

const NO_ANSWERS = [undefined, null, {}, [], '', 'candles', 7, true, [{}], { candles: {} }, { error: {} }];

function placeOf(decode: Decoder<unknown>, value: unknown): string {
  try {
    decode(value, '');
  } catch (error) {
    if (error instanceof Unreadable) return error.path;
    throw error;
  }
  return 'readable';
}

describe('answers', () => {
  it('are taken as they are, with fields that are newer than the page', () => {
    const ohlc = { ...OHLC, newer: { than: 'this page' } };
    expect(ohlcBody(ohlc, '')).toBe(ohlc);
    expect(statusBody(STATUS, '')).toBe(STATUS);
    expect(coverageBody(COVERAGE, '')).toBe(COVERAGE);
    expect(placeOf(coverageBody, { ...COVERAGE, sessions: [{ ...SESSION, state: 'rejected' }] })).toBe('readable');
    expect(tickersBody({ tickers: [{ ticker: 'AAPL', name: '' }] }, '')).toEqual({ tickers: [{ ticker: 'AAPL', name: '' }] });
  });

  it('that are none are refused, whatever they are', () => {
    for (const decode of [ohlcBody, statusBody, coverageBody, tickersBody]) {
      for (const value of NO_ANSWERS) expect(() => decode(value, ''), JSON.stringify(value)).toThrow(Unreadable);
    }
  });

  it('without one of their fields are refused, and the field is named', () => {
    for (const [decode, whole] of [
      [ohlcBody, OHLC],
      [statusBody, STATUS],
      [coverageBody, COVERAGE],
    ] as const) {
      for (const name of Object.keys(whole)) expect(placeOf(decode, { ...whole, [name]: undefined })).toBe(name);
    }
  });
});

describe('candles', () => {
  it('with anything but finite numbers and dates are refused, and the first of them is named', () => {
    const broken: [string, unknown][] = [
      ['candles.close[1]', { close: [2, null] }],
      ['candles.open[0]', { open: ['1', 2] }],
      ['candles.high[1]', { high: [2, Number('1e999')] }],
      ['candles.low[0]', { low: [-1e300, 1] }],
      ['candles.volume[1]', { volume: [7, {}] }],
      ['candles.date[1]', { date: ['2014-12-30', null] }],
      ['candles.date[0]', { date: ['yesterday', '2014-12-31'] }],
      ['candles.low', { low: null }],
      ['candles.low', { low: [1] }],
      ['candles.date', { date: '2014-12-30' }],
    ];
    for (const [path, part] of broken) {
      expect(placeOf(ohlcBody, { ...OHLC, candles: { ...CANDLES, ...(part as object) } })).toBe(path);
    }
  });

  it('may be none at all', () => {
    const none = { date: [], open: [], high: [], low: [], close: [], volume: [] };
    expect(placeOf(ohlcBody, { ...OHLC, candles: none, count: 0 })).toBe('readable');
  });
});

describe('what is formatted or looked up later', () => {
  it('is a date, a known name or a number already here', () => {
    expect(placeOf(ohlcBody, { ...OHLC, start_date: '2014-99-99' })).toBe('start_date');
    expect(placeOf(ohlcBody, { ...OHLC, data_until: '' })).toBe('data_until');
    expect(placeOf(ohlcBody, { ...OHLC, missing: [null] })).toBe('missing[0]');
    expect(placeOf(ohlcBody, { ...OHLC, resolution: '7' })).toBe('resolution');
    expect(placeOf(ohlcBody, { ...OHLC, count: -1 })).toBe('count');
    expect(placeOf(statusBody, { ...STATUS, resolutions: [] })).toBe('resolutions');
    expect(placeOf(statusBody, { ...STATUS, resolutions: { D: null } })).toBe('resolutions.D');
    expect(placeOf(statusBody, { ...STATUS, vendor: { ...STATUS.vendor, calls: '3' } })).toBe('vendor.calls');
    expect(placeOf(coverageBody, { ...COVERAGE, sessions: [SESSION, { ...SESSION, state: 'odd' }] })).toBe('sessions[1].state');
    expect(placeOf(tickersBody, { tickers: [{ ticker: 'AAPL', name: null }] })).toBe('tickers[0].name');
  });
});
