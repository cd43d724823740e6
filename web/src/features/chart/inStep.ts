/** Charts on one page move together: what the reader points at and looks at in one, the others show too. */

import type { CandleChart } from './candleChart';
import type { LogicalRange } from './glide';
import { type OnFailure, safely } from './safely';

/** With what to do when one of them fails: that is its own failure, not the chart's that the reader moves. */
const charts = new Map<CandleChart, OnFailure>();

export function join(chart: CandleChart, onFailure: OnFailure): () => void {
  charts.set(chart, onFailure);
  return () => charts.delete(chart);
}

export function pointOthers(self: CandleChart, time: number | null): void {
  inOthers(self, (chart) => {
    chart.point(time);
  });
}

export function moveOthers(self: CandleChart, range: LogicalRange, bars: number): void {
  inOthers(self, (chart) => {
    if (chart.bars.length > 0) chart.follow(range, bars);
  });
}

function inOthers(self: CandleChart, act: (chart: CandleChart) => void): void {
  for (const [chart, onFailure] of charts) if (chart !== self) safely(act, onFailure)(chart);
}
