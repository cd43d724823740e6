import { describe, expect, it } from 'vitest';

import type { Answer } from '../../api/ohlc';
import { barsOf, indexAt } from './bars';

function page(dates: string[], close: number, forming = 0, resolution = 'D'): Answer {
  const column = dates.map(() => close);
  return {
    candles: { date: dates, open: column, high: column, low: column, close: column, volume: column },
    forming,
    resolution,
    cache_expires_at: '2025-11-26T14:47:10Z',
    unadjusted_splits: [],
  } as unknown as Answer;
}

describe('bars', () => {
  it('joins pages, oldest first, and marks what is forming', () => {
    const { bars } = barsOf([page(['2014-12-29'], 1), page(['2014-12-30', '2014-12-31'], 2, 1)]);
    expect(bars.map((bar) => [bar.close, bar.forming])).toEqual([
      [1, false],
      [2, false],
      [2, true],
    ]);
  });

  it('marks of a session in progress only the newest intraday candle: those before it have closed', () => {
    const dates = ['2025-11-26T14:30:00Z', '2025-11-26T14:35:00Z', '2025-11-26T14:40:00Z'];
    const { bars } = barsOf([page(dates, 1, 3, '5')]);
    expect(bars.map((bar) => bar.forming)).toEqual([false, false, true]);
  });

  it('keeps times ascending when pages overlap: the newer page’s candle stands', () => {
    const { bars } = barsOf([page(['2014-12-29', '2014-12-30'], 1), page(['2014-12-30', '2014-12-31'], 2)]);
    expect(bars.map((bar) => bar.close)).toEqual([1, 2, 2]);
  });

  it('finds a bar by its time', () => {
    const { bars } = barsOf([page(['2014-12-29', '2014-12-30', '2014-12-31'], 1)]);
    expect(bars.map((bar) => indexAt(bars, bar.time))).toEqual([0, 1, 2]);
    expect(indexAt(bars, 5)).toBe(-1);
    expect(indexAt([], 5)).toBe(-1);
  });
});
