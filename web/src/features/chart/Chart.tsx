import './chart.css';

import { type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';

import type { Formats } from '../../lib/format';
import { Icon } from '../../lib/ui/Icon';
import type { Bars } from './bars';
import { CandleChart } from './candleChart';
import { join, moveOthers, pointOthers } from './inStep';
import { Legend } from './Legend';
import { safely } from './safely';

const ZOOM_IN = 0.6;
const PAN_SHARE = 0.25;

export interface ChartProps {
  label: string;
  summary: string;
  data: Bars;
  /** Names what is shown; another name puts everything on screen, the same name keeps the view. */
  viewKey: string;
  theme: string;
  formats: Formats;
  dimmed: boolean;
  onOlderWanted: () => void;
}

/** Where tests and curious readers find the chart of an element. */
export interface ChartElement extends HTMLDivElement {
  candleChart?: CandleChart;
}

export function Chart({ label, summary, data, viewKey, theme, formats, dimmed, onOlderWanted }: ChartProps) {
  const container = useRef<ChartElement>(null);
  const [chart, setChart] = useState<CandleChart | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);
  const older = useRef(onOlderWanted);
  const shownKey = useRef<string | null>(null);
  const painted = useRef(theme);

  useEffect(() => {
    older.current = onOlderWanted;
  }, [onOlderWanted]);

  useLayoutEffect(() => {
    const element = container.current;
    if (element === null) return;
    const made: CandleChart = new CandleChart(element, formats, {
      onView: (range, bars) => {
        moveOthers(made, range, bars);
      },
      onHover: (time) => {
        pointOthers(made, time);
      },
      onOlderWanted: () => {
        older.current();
      },
      onFailure: setFailure,
    });
    element.candleChart = made;
    const leave = join(made, setFailure);
    // The library draws in frames of its own, and what it throws there passes by everybody: did it stop this chart?
    const onError = ({ error }: ErrorEvent): void => {
      if (error instanceof Error && !made.draws()) setFailure(error);
    };
    window.addEventListener('error', onError);
    setChart(made);
    shownKey.current = null;
    let alive = true;
    void document.fonts.ready.then(() => {
      if (alive) made.remeasure();
    });
    return () => {
      alive = false;
      window.removeEventListener('error', onError);
      leave();
      made.destroy();
      delete element.candleChart;
    };
  }, [formats]);

  useLayoutEffect(() => {
    if (chart === null) return;
    chart.show(data, shownKey.current !== viewKey);
    shownKey.current = viewKey;
  }, [chart, data, viewKey]);

  useLayoutEffect(() => {
    if (painted.current !== theme) chart?.repaint();
    painted.current = theme;
  }, [chart, theme]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (chart === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keyAction(chart, event);
    if (act === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    safely(act, setFailure)();
  };
  // To the boundary round this chart: only React can take away what cannot be drawn.
  if (failure !== null) throw failure;

  return (
    <div className="chart" data-dimmed={dimmed}>
      <Legend chart={chart} data={data} formats={formats} />
      <div
        ref={container}
        className="chart-canvas"
        data-testid="chart"
        role="group"
        aria-roledescription="candlestick chart"
        aria-label={label}
        tabIndex={0}
        onKeyDown={onKeyDown}
      />
      <p className="visually-hidden" data-testid="chart-summary">
        {summary}
      </p>
      <div className="chart-zoom" role="group" aria-label="Zoom">
        <button type="button" data-testid="zoom-out" aria-label="Zoom out" onClick={safely(() => chart?.zoom(1 / ZOOM_IN), setFailure)}>
          <Icon name="minus" />
        </button>
        <button type="button" data-testid="zoom-in" aria-label="Zoom in" onClick={safely(() => chart?.zoom(ZOOM_IN), setFailure)}>
          <Icon name="plus" />
        </button>
        <button type="button" data-testid="zoom-reset" aria-label="Show everything" onClick={safely(() => chart?.reset(), setFailure)}>
          <Icon name="fit" />
        </button>
      </div>
    </div>
  );
}

function keyAction(chart: CandleChart, event: KeyboardEvent): (() => void) | undefined {
  const wide = event.shiftKey;
  switch (event.key) {
    case 'ArrowLeft':
      return () => {
        if (wide) chart.pan(-PAN_SHARE);
        else chart.step(-1);
      };
    case 'ArrowRight':
      return () => {
        if (wide) chart.pan(PAN_SHARE);
        else chart.step(1);
      };
    case 'PageUp':
      return () => {
        chart.pan(-1);
      };
    case 'PageDown':
      return () => {
        chart.pan(1);
      };
    case 'ArrowUp':
    case '+':
    case '=':
      return () => {
        chart.zoom(ZOOM_IN);
      };
    case 'ArrowDown':
    case '-':
      return () => {
        chart.zoom(1 / ZOOM_IN);
      };
    case '0':
    case 'Home':
      return () => {
        chart.reset();
      };
    default:
      return undefined;
  }
}
