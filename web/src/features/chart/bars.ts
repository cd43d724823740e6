/** Candles as the chart draws them: placed at New York wall time, with what the legend says about each. */

import { formingCandles } from '../../api/forming';
import type { Answer, Columns, Split } from '../../api/ohlc';
import { decimalsFor } from '../../lib/format';
import { wallSeconds } from '../../lib/newYork';

export interface Bar {
  /** Wall seconds: New York time written as if it were UTC. */
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  forming: boolean;
}

export interface Bars {
  bars: Bar[];
  /** The close before the first bar; null where it is not known. */
  previousClose: number | null;
  /** Splits between the bars that their prices are not adjusted for; null where they are not known. */
  splits: Split[] | null;
  intraday: boolean;
  decimals: number;
}

/** The candles of `pages`, oldest page first, as one ascending series; a time that comes twice keeps the newer page's. */
export function barsOf(pages: readonly Answer[]): Bars {
  const bars: Bar[] = [];
  for (const page of pages) {
    const { candles } = page;
    const formingFrom = candles.date.length - formingCandles(page);
    for (let index = 0; index < candles.date.length; index += 1) {
      const bar = barAt(candles, index, index >= formingFrom);
      while ((bars.at(-1)?.time ?? -Infinity) >= bar.time) bars.pop();
      bars.push(bar);
    }
  }
  const newest = pages[pages.length - 1];
  return {
    bars,
    previousClose: pages[0]?.previous_close ?? null,
    splits: splitsOf(pages),
    intraday: newest !== undefined && newest.resolution !== 'D',
    decimals: decimalsFor(bars.reduce((largest, bar) => Math.max(largest, bar.high), 0)),
  };
}

function splitsOf(pages: readonly Answer[]): Split[] | null {
  const splits: Split[] = [];
  for (const page of pages) {
    if (page.unadjusted_splits === null) return null;
    splits.push(...page.unadjusted_splits);
  }
  return splits;
}

function barAt(candles: Columns, index: number, forming: boolean): Bar {
  const at = (column: number[]): number => column[index] ?? NaN;
  return {
    time: wallSeconds(candles.date[index] ?? ''),
    open: at(candles.open),
    high: at(candles.high),
    low: at(candles.low),
    close: at(candles.close),
    volume: at(candles.volume),
    forming,
  };
}

/** Index of the bar at `time`, or -1. */
export function indexAt(bars: readonly Bar[], time: number): number {
  let [low, high] = [0, bars.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = bars[middle]?.time ?? NaN;
    if (found === time) return middle;
    if (found < time) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
