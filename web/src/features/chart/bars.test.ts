import { describe, expect, it } from 'vitest';

import type { Answer } from '../../api/ohlc';
import { barsOf, indexAt } from './bars';

function page(dates: string[], close: number, forming = 0): Answer {
  const column = dates.map(() => close);
  return {
    candles: { date: dates, open: column, high: column, low: column, close: column, volume: column },
    forming,
    resolution: 'D',
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
