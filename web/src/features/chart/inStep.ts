/** Charts on one page move together: what the reader points at and looks at in one, the others show too. */

import type { CandleChart } from './candleChart';
import type { LogicalRange } from './glide';

const charts = new Set<CandleChart>();

export function join(chart: CandleChart): () => void {
  charts.add(chart);
  return () => charts.delete(chart);
}

export function pointOthers(self: CandleChart, time: number | null): void {
  for (const chart of charts) if (chart !== self) chart.point(time);
}

export function moveOthers(self: CandleChart, range: LogicalRange, bars: number): void {
  for (const chart of charts) if (chart !== self && chart.bars.length > 0) chart.follow(range, bars);
}
