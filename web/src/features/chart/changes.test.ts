import { describe, expect, it } from 'vitest';

import type { Answer, Split } from '../../api/ohlc';
import { formatsFor } from '../../lib/format';
import { barsOf } from './bars';
import { barChange, type Change, changesOf, isChange, type NoChange, reasonWords, splitWords } from './changes';

type Row = [date: string, open: number, close: number];

function answer(rows: readonly Row[], part: Partial<Answer> = {}): Answer {
  const close = rows.map((row) => row[2]);
  return {
    candles: { date: rows.map((row) => row[0]), open: rows.map((row) => row[1]), high: close, low: close, close, volume: close },
    forming: 0,
    resolution: 'D',
    missing: [],
    cache_expires_at: '2025-11-26T14:47:10Z',
    previous_close: null,
    listed_on: null,
    unadjusted_splits: [],
    ...part,
  } as unknown as Answer;
}

/** Percent to two decimals, or why there is none. */
function figure(change: Change | NoChange | null | undefined): number | string | null | undefined {
  if (change === null || change === undefined) return change;
  return isChange(change) ? Math.round(change.share * 10_000) / 100 : change.why;
}

function figures(of: Answer): (number | string | null | undefined)[] {
  const changes = changesOf(of);
  return [figure(changes?.day), figure(changes?.span)];
}

// The bundled sample's rows of AAPL and ZEN.
const LAST: Row = ['2014-12-31', 112.82, 110.38];
const WEEK: Row[] = [
  ['2014-12-24', 112.58, 112.01],
  ['2014-12-26', 112.1, 113.99],
  ['2014-12-29', 113.79, 113.91],
  ['2014-12-30', 113.64, 112.52],
  LAST,
];
const SPLIT: Split = { date: '2014-06-09', ratio: 7 };
const AROUND_SPLIT: Row[] = [
  ['2014-06-06', 649.9, 645.57],
  ['2014-06-09', 92.7, 93.7],
  ['2014-06-10', 94.73, 94.25],
];
const LISTING: Row[] = [
  ['2014-05-15', 11.4, 13.43],
  ['2014-05-16', 13.6, 15.25],
];

describe('the change of the day', () => {
  it('is counted from the close before, at one day as at a week and a year', () => {
    expect(figures(answer([LAST], { previous_close: 112.52 }))).toEqual([-1.9, null]);
    expect(figures(answer(WEEK, { previous_close: 112.54 }))).toEqual([-1.9, -1.92]);
    expect(figures(answer([['2014-01-02', 79.38, 79.02], ...WEEK], { previous_close: 561.02 / 7 }))).toEqual([-1.9, 37.72]);
    expect(changesOf(answer([]))).toBeNull();
  });

  it('is counted from the close of the session before, not of the bar before', () => {
    const bars: Row[] = [
      ['2014-12-30T20:00:00Z', 112.9, 112.52],
      ['2014-12-31T14:30:00Z', 112.82, 112.6],
      ['2014-12-31T15:00:00Z', 112.6, 111.5],
      ['2014-12-31T20:30:00Z', 111.5, 110.38],
    ];
    const intraday = { resolution: '30', previous_close: 113.91 } as const;
    expect(figures(answer(bars, intraday))).toEqual([-1.9, -3.1]);
    expect(figures(answer(bars.slice(1), { ...intraday, previous_close: 112.52 }))).toEqual([-1.9, null]);
  });

  it('is not counted across a session that is missing, nor from a close that is not known', () => {
    const before = WEEK.filter(([day]) => day !== '2014-12-30');
    expect(figures(answer(before, { previous_close: 112.54, missing: ['2014-12-30'] }))).toEqual(['unknown', -1.92]);
    expect(figures(answer(WEEK, { previous_close: 112.54, missing: ['2014-12-23'] }))).toEqual([-1.9, -1.92]);
    expect(figures(answer([LAST], { previous_close: 112.54, missing: ['2014-12-30'] }))).toEqual(['unknown', null]);
    expect(figures(answer([LAST]))).toEqual(['unknown', null]);
  });
});

describe('the change of a span', () => {
  it('is counted from the first open since a listing, and says so', () => {
    const changes = changesOf(answer(LISTING, { listed_on: '2014-05-15' }));
    expect(figure(changes?.day)).toBe(13.55);
    expect(changes?.span).toEqual({ difference: 15.25 - 11.4, share: (15.25 - 11.4) / 11.4, since: { day: '2014-05-15', listing: true } });
    const first = changesOf(answer(LISTING.slice(0, 1), { listed_on: '2014-05-15' }));
    expect(first?.day).toMatchObject({ difference: 13.43 - 11.4, since: { listing: true } });
    expect(first?.span).toBeNull();
  });

  it('is counted from the first candle where the close before is not known, and says so', () => {
    expect(changesOf(answer(WEEK))?.span).toMatchObject({ since: { day: '2014-12-24', listing: false } });
    expect(changesOf(answer(WEEK, { previous_close: 112.54 }))?.span).toMatchObject({ since: null });
  });
});

describe('a split that prices are not adjusted for', () => {
  it('leaves no percentage across it, and the others stand', () => {
    const raw = { unadjusted_splits: [SPLIT] };
    expect(figures(answer(AROUND_SPLIT.slice(1, 2), { ...raw, previous_close: 645.57 }))).toEqual(['split', null]);
    expect(figures(answer(AROUND_SPLIT.slice(0, 2), { ...raw, previous_close: 647.35 }))).toEqual(['split', 'split']);
    expect(figures(answer(AROUND_SPLIT, { ...raw, previous_close: 647.35 }))).toEqual([0.59, 'split']);
    expect(figures(answer(AROUND_SPLIT, raw))).toEqual([0.59, 'split']);
    expect(figures(answer(AROUND_SPLIT.slice(1), { previous_close: 645.57 / 7 }))).toEqual([0.59, 2.2]);
  });

  it('is taken from a jump where splits are not known', () => {
    const raw = { unadjusted_splits: null, resolution: '60', previous_close: 647.35 } as const;
    const bars = AROUND_SPLIT.flatMap(([day, open, close]): Row[] => [
      [`${day}T13:30:00Z`, open, open],
      [`${day}T19:30:00Z`, open, close],
    ]);
    expect(figures(answer(bars, raw))).toEqual([0.59, 'jump']);
    expect(figures(answer(bars.slice(0, 4), raw))).toEqual(['jump', 'jump']);
    expect(figures(answer(bars.slice(2, 4), { ...raw, previous_close: 645.57 }))).toEqual(['jump', null]);
    expect(figures(answer(bars.slice(2), { ...raw, previous_close: 93.1 }))).toEqual([0.59, 1.24]);
    expect(figures(answer(bars.slice(2), { ...raw, previous_close: 645.57 }))).toEqual([0.59, 'jump']);
    expect(figures(answer(bars.slice(2), { ...raw, previous_close: null }))).toEqual([0.59, 1.67]);
    // Within a session nothing is a split, however far it falls.
    const fall: Row[] = [
      ['2014-06-10T13:30:00Z', 94, 94],
      ['2014-06-10T13:31:00Z', 60, 60],
    ];
    expect(figures(answer(fall, { ...raw, previous_close: 94 }))).toEqual([-36.17, null]);
  });

  it('is named', () => {
    const formats = formatsFor('en-US');
    expect(reasonWords({ why: 'split', split: SPLIT }, formats)).toBe(
      'no percentage across the 7-for-1 split of June 9, 2014: prices are not adjusted',
    );
    expect(reasonWords({ why: 'jump', day: '2014-06-09' }, formats)).toBe(
      'no percentage: prices jump on June 9, 2014 as at a split, and whether there was one is not known',
    );
    expect([7, 1.5, 0.05, 1.05].map((ratio) => splitWords({ date: '', ratio }))).toEqual([
      '7-for-1',
      '3-for-2',
      '1-for-20',
      '21-for-20',
    ]);
  });
});

describe('the change of a candle', () => {
  it('is counted from the candle before, of the oldest from the close before it', () => {
    const data = barsOf([answer(WEEK.slice(0, 3), { previous_close: 112.54 }), answer(WEEK.slice(3), { previous_close: 113.91 })]);
    expect([0, 3, 4].map((index) => figure(barChange(data, index)))).toEqual([-0.47, -1.22, -1.9]);
    expect(figure(barChange(barsOf([answer([LAST], { previous_close: 112.52 })]), 0))).toBe(-1.9);
    expect(figure(barChange(barsOf([answer([LAST])]), 0))).toBe('unknown');
    expect(figure(barChange(barsOf([]), -1))).toBe('unknown');
  });

  it('is not counted across a split', () => {
    const raw = barsOf([answer(AROUND_SPLIT, { previous_close: 647.35, unadjusted_splits: [SPLIT] })]);
    expect([0, 1, 2].map((index) => figure(barChange(raw, index)))).toEqual([-0.27, 'split', 0.59]);
    const first = barsOf([answer(AROUND_SPLIT.slice(1), { previous_close: 645.57, unadjusted_splits: [SPLIT] })]);
    expect([0, 1].map((index) => figure(barChange(first, index)))).toEqual(['split', 0.59]);
    const page = answer(AROUND_SPLIT, { previous_close: 647.35, unadjusted_splits: null });
    expect([0, 1, 2].map((index) => figure(barChange(barsOf([page]), index)))).toEqual([-0.27, 'jump', 0.59]);
  });
});
