/** The chart in a sentence, for those who do not see it. */

import type { Formats } from '../../lib/format';
import { RESOLUTION_NAMES, type Resolution } from '../../lib/resolution';
import type { Bars } from './bars';

export function summaryOf(ticker: string, resolution: Resolution, data: Bars, formats: Formats): string {
  const { bars, decimals } = data;
  const [first, last] = [bars[0], bars[bars.length - 1]];
  if (first === undefined || last === undefined) return `${ticker}: no candles.`;
  let [low, high] = [first, first];
  for (const bar of bars) {
    if (bar.low < low.low) low = bar;
    if (bar.high > high.high) high = bar;
  }
  const price = (value: number): string => formats.price(value, decimals);
  return (
    `${ticker}, ${formats.integer(bars.length)} ${RESOLUTION_NAMES[resolution]} candles from ${formats.day(first.time)} to ` +
    `${formats.day(last.time)}. Last close ${price(last.close)}, lowest ${price(low.low)} on ${formats.day(low.time)}, ` +
    `highest ${price(high.high)} on ${formats.day(high.time)}.`
  );
}
