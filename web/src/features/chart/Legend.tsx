import { useSyncExternalStore } from 'react';

import type { Formats } from '../../lib/format';
import { type Bar, type Bars, indexAt } from './bars';
import type { CandleChart } from './candleChart';
import { barChange, isChange, type NoChange, splitWords } from './changes';

const nothing = (): (() => void) => () => undefined;
const none = (): Bar | null => null;

/** Exactly the candle under the crosshair, or the newest one. */
export function Legend({ chart, data, formats }: { chart: CandleChart | null; data: Bars; formats: Formats }) {
  const hovered = useSyncExternalStore(chart?.hovered.subscribe ?? nothing, chart?.hovered.get ?? none);
  const { bars, decimals, intraday } = data;
  const found = hovered === null ? -1 : indexAt(bars, hovered.time);
  const index = found < 0 ? bars.length - 1 : found;
  const bar = bars[index];
  if (bar === undefined) return null;
  const change = barChange(data, index);
  const values: [string, string, number, string][] = [
    ['O', 'Open', bar.open, formats.exact(bar.open)],
    ['H', 'High', bar.high, formats.exact(bar.high)],
    ['L', 'Low', bar.low, formats.exact(bar.low)],
    ['C', 'Close', bar.close, formats.exact(bar.close)],
    ['V', 'Volume', bar.volume, formats.integer(bar.volume)],
  ];
  return (
    <dl className="legend" data-testid="legend" data-hovering={hovered !== null}>
      <div className="legend-date">
        <dt className="visually-hidden">Session</dt>
        <dd data-testid="legend-date">
          {formats.day(bar.time)}
          {intraday && <span className="legend-time"> {formats.time(bar.time)} New York</span>}
        </dd>
      </div>
      {values.map(([short, name, value, written]) => (
        <div key={short}>
          <dt aria-label={name}>{short}</dt>
          <dd data-testid={`legend-${name.toLowerCase()}`}>
            <data value={value}>{written}</data>
          </dd>
        </div>
      ))}
      <div className="legend-change">
        <dt className="visually-hidden">Change</dt>
        {isChange(change) ? (
          <dd data-testid="legend-change" data-direction={change.difference < 0 ? 'down' : 'up'}>
            {formats.signed(change.difference, decimals)} ({formats.percent(change.share)})
          </dd>
        ) : (
          <dd data-testid="legend-change">{shortReason(change)}</dd>
        )}
      </div>
      {bar.forming && (
        <div>
          <dt className="visually-hidden">State</dt>
          <dd className="legend-forming">still forming</dd>
        </div>
      )}
    </dl>
  );
}

function shortReason(change: NoChange): string {
  switch (change.why) {
    case 'split':
      return `${splitWords(change.split)} split`;
    case 'jump':
      return 'a jump as at a split';
    case 'unknown':
      return '';
  }
}
