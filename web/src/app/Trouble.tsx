import './trouble.css';

import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';

import { ApiError, Unreachable } from '../api/errors';
import { tickersQuery } from '../api/tickers';
import { KeyBox } from '../features/access/KeyBox';
import { countdown } from '../lib/format';
import { Icon } from '../lib/ui/Icon';
import { useNow } from '../lib/useNow';

interface TroubleProps {
  error: Error;
  ticker: string;
  hasKey: boolean;
  onRetry: () => void;
  onTicker: (ticker: string) => void;
  onPartial: () => void;
}

/** What went wrong, in the place of the chart: what it is, and what to do about it. */
export function Trouble({ error, ticker, hasKey, onRetry, onTicker, onPartial }: TroubleProps) {
  if (error instanceof ApiError && error.status === 401) return <KeyBox refused={hasKey} onSameKey={onRetry} />;
  const { title, text } = wording(error, ticker);
  const code = error instanceof ApiError ? error.body.code : 'unreachable';
  return (
    <div className="trouble" role="alert" data-testid="trouble" data-code={code}>
      <h2>{title}</h2>
      <p>{text}</p>
      {code === 'ticker_not_found' && <Known onTicker={onTicker} />}
      {error instanceof ApiError && error.status === 429 && <Wait error={error} />}
      <div className="trouble-actions">
        {worthRetrying(error) && (
          <button type="button" className="button button-strong" data-testid="retry" onClick={onRetry}>
            Try now
          </button>
        )}
        {code === 'incomplete_data' && (
          <button type="button" className="button" data-testid="partial" onClick={onPartial}>
            Show what there is
          </button>
        )}
      </div>
      {error instanceof ApiError && error.body.request_id != null && error.status >= 500 && (
        <p className="trouble-id">
          Request <code>{error.body.request_id}</code>
        </p>
      )}
    </div>
  );
}

/** The same in one line, above a chart that stays on screen. */
export function TroubleBar({ error, ticker, shown, onRetry }: { error: Error; ticker: string; shown: string; onRetry: () => void }) {
  const { title, text } = wording(error, ticker);
  return (
    <div className="trouble-bar" role="alert" data-testid="trouble-bar" data-code={error instanceof ApiError ? error.body.code : 'unreachable'}>
      <Icon name="warn" />
      <p>
        <strong>{title}</strong> {text} {shown}
        {error instanceof ApiError && error.status === 429 && <Wait error={error} />}
      </p>
      <button type="button" className="button" data-testid="retry" onClick={onRetry}>
        Try now
      </button>
    </div>
  );
}

function worthRetrying(error: Error): boolean {
  if (!(error instanceof ApiError)) return error instanceof Unreachable;
  return error.status === 429 || error.status >= 500 || error.body.code === 'unreadable';
}

function wording(error: Error, ticker: string): { title: string; text: ReactNode } {
  if (!(error instanceof ApiError)) {
    return { title: 'The server does not answer.', text: 'The chart appears as soon as it does.' };
  }
  const { message, hint } = error.body;
  const text = [sentence(message), hint ?? ''].join(' ').trim();
  switch (error.body.code) {
    case 'ticker_not_found':
      return { title: `${ticker} is not known here.`, text: hint ?? 'Check the spelling.' };
    case 'quota_exceeded':
      return { title: 'The vendor’s allowance is used up.', text: 'What is cached is still served.' };
    case 'not_entitled':
      return { title: 'Not in the vendor plan.', text };
    case 'invalid_request':
      return { title: 'That cannot be asked for.', text };
    case 'vendor_unavailable':
      return { title: 'The data vendor is down.', text: sentence(message) };
    case 'vendor_credentials':
      return { title: 'The vendor refused this server’s key.', text: hint ?? sentence(message) };
    case 'unreadable':
      return { title: 'The answer cannot be read.', text };
    case 'incomplete_data':
      return { title: 'Some candles are missing.', text: sentence(message) };
    default:
      return { title: 'The candles could not be had.', text };
  }
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function Wait({ error }: { error: Error }) {
  const retryAt = error instanceof ApiError ? error.retryAt : null;
  const now = useNow(retryAt === null ? null : 1000);
  if (retryAt === null) return null;
  return (
    <span className="trouble-wait" data-testid="countdown" role="timer">
      Trying again in <strong>{countdown((retryAt - now) / 1000)}</strong>
    </span>
  );
}

function Known({ onTicker }: { onTicker: (ticker: string) => void }) {
  const { data } = useQuery(tickersQuery(''));
  if (data === undefined || data.length === 0) return null;
  return (
    <ul className="trouble-known" data-testid="known-tickers" aria-label="Tickers that are known">
      {data.map((info) => (
        <li key={info.ticker}>
          <button
            type="button"
            className="button"
            onClick={() => {
              onTicker(info.ticker);
            }}
          >
            <strong>{info.ticker}</strong> <span>{info.name}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
