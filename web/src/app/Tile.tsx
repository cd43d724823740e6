import './tile.css';

import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';

import { accessKey } from '../api/accessKey';
import { Unreachable } from '../api/errors';
import type { Answer, OhlcRequest } from '../api/ohlc';
import { tickersQuery } from '../api/tickers';
import { Chart } from '../features/chart/Chart';
import { Skeleton } from '../features/chart/Skeleton';
import { type Change, changesOf, isChange, type NoChange, reasonWords } from '../features/chart/changes';
import { summaryOf } from '../features/chart/summary';
import { type Candles, useCandles } from '../features/chart/useCandles';
import { Badge } from '../features/provenance/Badge';
import { Notes } from '../features/provenance/Notes';
import type { Formats } from '../lib/format';
import { wallSeconds } from '../lib/newYork';
import { isOneOf, RANGES, RESOLUTION_NAMES } from '../lib/resolution';
import { useStore } from '../lib/store';
import { Icon } from '../lib/ui/Icon';
import { Trouble, TroubleBar } from './Trouble';

export interface TileProps {
  request: OhlcRequest;
  /** One of several charts on the page. */
  several: boolean;
  active: boolean;
  theme: string;
  formats: Formats;
  onActivate: () => void;
  onRemove: () => void;
  onTicker: (ticker: string) => void;
  onPartial: () => void;
  onFiner: () => void;
  onMonth: () => void;
  onKnown: (ticker: string) => void;
}

/** One ticker: its name and price, where its candles come from, and the chart or why there is none. */
export function Tile(props: TileProps) {
  const { request, several, active, theme, formats, onKnown } = props;
  const candles = useCandles(request);
  const { answer, data, standIn } = candles;
  const summary = useMemo(
    () => (answer === undefined ? '' : summaryOf(answer.ticker, answer.resolution, data, formats)),
    [answer, data, formats],
  );
  const ticker = standIn && candles.error === null ? (answer?.ticker ?? request.ticker) : request.ticker;
  useEffect(() => {
    if (answer?.ticker === request.ticker) onKnown(request.ticker);
  }, [answer?.ticker, request.ticker, onKnown]);

  return (
    <article
      className="tile"
      data-testid={`tile-${request.ticker}`}
      data-active={several && active}
      data-loading={candles.loading}
      aria-label={request.ticker}
      aria-busy={candles.loading && standIn}
      onPointerDownCapture={props.onActivate}
      onFocusCapture={props.onActivate}
    >
      <div className="tile-head">
        <Headline ticker={ticker} candles={candles} formats={formats} />
        {answer !== undefined && <Badge answer={answer} formats={formats} />}
        {several && (
          <button type="button" className="icon-button tile-remove" aria-label={`Remove ${request.ticker}`} data-testid={`remove-${request.ticker}`} onClick={props.onRemove}>
            <Icon name="close" size={16} />
          </button>
        )}
      </div>
      {answer !== undefined && (
        <Notes
          dataUntil={several ? null : answer.data_until}
          synthetic={!several && answer.synthetic}
          fallback={answer.resolution_fallback ? fallbackWords(answer) : null}
          formats={formats}
        />
      )}
      <Bar {...props} candles={candles} />
      <div className="tile-chart">
        <div className="tile-progress" data-on={candles.loading && answer !== undefined} aria-hidden="true" />
        <Body {...props} candles={candles} summary={summary} theme={theme} />
      </div>
    </article>
  );
}

function Headline({ ticker, candles, formats }: { ticker: string; candles: Candles; formats: Formats }) {
  const { data: found } = useQuery(tickersQuery(ticker));
  const name = found?.find((info) => info.ticker === ticker)?.name;
  const { answer } = candles;
  const changes = useMemo(() => (answer === undefined ? null : changesOf(answer)), [answer]);
  const { decimals } = candles.data;
  const figure = (change: Change, id: string, label: string) => (
    <span data-testid={id} className="headline-change" data-direction={change.difference < 0 ? 'down' : 'up'}>
      <span className="headline-label">{change.since === null ? label : sinceWords(change.since, formats)}</span>{' '}
      <span className="headline-difference">{formats.signed(change.difference, decimals)} (</span>
      {formats.percent(change.share)}
      <span className="headline-difference">)</span>
    </span>
  );
  return (
    <div className="headline">
      <h1>
        <span data-testid="ticker">{ticker}</span>
        {name !== undefined && name !== '' && <small>{name}</small>}
      </h1>
      {changes !== null && (
        <p className="headline-price">
          <span data-testid="last-close">{formats.price(changes.close, decimals)}</span>
          {isChange(changes.day) && figure(changes.day, 'change', 'day')}
          {changes.span !== null && isChange(changes.span) && figure(changes.span, 'range-change', spanWords(answer))}
          {reasonsOf(changes.day, changes.span, formats).map((reason) => (
            <span key={reason} className="headline-note" data-testid="change-note">
              {reason}
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

function fallbackWords(answer: Answer): string {
  return answer.fallback_message ?? `Shown instead: ${RESOLUTION_NAMES[answer.resolution]} candles.`;
}

function spanWords(answer: Answer | undefined): string {
  const range = answer?.time_range ?? null;
  return isOneOf(RANGES, range) ? range : 'span';
}

function sinceWords({ day, listing }: { day: string; listing: boolean }, formats: Formats): string {
  return listing ? 'since listing' : `since ${formats.dayLong(wallSeconds(day))}`;
}

function reasonsOf(day: Change | NoChange, span: Change | NoChange | null, formats: Formats): string[] {
  const reasons = [day, span].flatMap((each) => (each === null || isChange(each) ? [] : [reasonWords(each, formats)]));
  return [...new Set(reasons)];
}

/** What is said above a chart that stays. */
function Bar({ request, candles, formats }: TileProps & { candles: Candles }) {
  const { answer, error, failures, olderError } = candles;
  if (answer === undefined) return null;
  // The page's own banner already says that the server is gone.
  if (error !== null && !(error instanceof Unreachable)) {
    const shown = candles.standIn
      ? `Still on screen: ${formats.dayLong(wallSeconds(answer.start_date))} to ${formats.dayLong(wallSeconds(answer.end_date))}, ${RESOLUTION_NAMES[answer.resolution]}.`
      : 'What is on screen stays.';
    return <TroubleBar error={error} ticker={request.ticker} shown={shown} onRetry={candles.retry} />;
  }
  if (answer.stale) {
    return (
      <div className="trouble-bar" role="status" data-testid="stale-bar">
        <Icon name="warn" />
        <p>
          <strong>These are the candles held; others are due.</strong> {answer.stale_reason}
        </p>
        <button type="button" className="button" data-testid="retry" onClick={candles.retry}>
          Try now
        </button>
      </div>
    );
  }
  if (olderError !== null && !(olderError instanceof Unreachable)) {
    return <TroubleBar error={olderError} ticker={request.ticker} shown="Older candles are not on screen." onRetry={candles.retry} />;
  }
  if (failures > 0 && error === null) {
    return (
      <div className="trouble-bar" role="status" data-testid="retrying" data-quiet>
        <Icon name="refresh" />
        <p>The server stumbled; trying again.</p>
      </div>
    );
  }
  return null;
}

function Body(props: TileProps & { candles: Candles; summary: string }) {
  const { request, candles, formats, theme, summary, onTicker, onPartial, onFiner, onMonth } = props;
  const hasKey = useStore(accessKey) !== null;
  const { answer, error } = candles;
  if (answer === undefined) {
    if (error === null) return <Skeleton />;
    return (
      <Trouble
        error={error}
        ticker={request.ticker}
        hasKey={hasKey}
        onRetry={candles.retry}
        onTicker={onTicker}
        onPartial={onPartial}
      />
    );
  }
  if (answer.count === 0) return <Empty request={request} known={answer.known_empty} onMonth={onMonth} />;
  return (
    <>
      <Chart
        label={`${answer.ticker}, ${RESOLUTION_NAMES[answer.resolution]} candles`}
        summary={summary}
        data={candles.data}
        viewKey={candles.viewKey}
        theme={theme}
        formats={formats}
        dimmed={candles.standIn}
        onOlderWanted={candles.loadOlder}
      />
      {candles.olderLoading && (
        <p className="tile-older" role="status" data-testid="older-loading">
          Loading older candles…
        </p>
      )}
      {answer.count === 1 && answer.resolution === 'D' && (
        <p className="tile-hint" data-testid="finer-hint">
          One day is one daily candle.
          <button type="button" className="button" onClick={onFiner}>
            Show it in 5-minute candles
          </button>
        </p>
      )}
    </>
  );
}

function Empty({ request, known, onMonth }: { request: OhlcRequest; known: number; onMonth: () => void }) {
  return (
    <div className="trouble" data-testid="empty" role="status">
      <h2>No candles in this span</h2>
      <p>
        {known > 0
          ? `The vendor confirmed that it has none of ${request.ticker} here: it may not have been listed yet.`
          : 'The exchange had no session then: a weekend or a holiday.'}
      </p>
      <div className="trouble-actions">
        <button type="button" className="button button-strong" onClick={onMonth}>
          Show the last month
        </button>
      </div>
    </div>
  );
}
