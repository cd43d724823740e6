import { describe, expect, it } from 'vitest';

import type { Answer } from '../../api/ohlc';
import { formatsFor } from '../../lib/format';
import { barsOf } from './bars';
import { summaryOf } from './summary';

function answer(dates: string[], closes: number[]): Answer {
  const open = closes.map((close) => close - 1);
  return {
    candles: { date: dates, open, high: closes, low: open, close: closes, volume: closes },
    forming: 0,
    resolution: 'D',
    unadjusted_splits: [],
  } as unknown as Answer;
}

describe('the chart in words', () => {
  it('names the lowest and the highest of all that is on screen', () => {
    const data = barsOf([answer(['2014-12-29'], [99]), answer(['2014-12-30', '2014-12-31'], [11, 15])]);
    expect(summaryOf('AAPL', 'D', data, formatsFor('en-US'))).toBe(
      'AAPL, 3 daily candles from Mon, Dec 29, 2014 to Wed, Dec 31, 2014. Last close 15.00, lowest 10.00 on ' +
        'Tue, Dec 30, 2014, highest 99.00 on Mon, Dec 29, 2014.',
    );
  });
});
