import './inside.css';

import { useQuery } from '@tanstack/react-query';

import { ApiError } from '../../api/errors';
import { type Status, statusQuery } from '../../api/status';
import { countdown, type Formats } from '../../lib/format';
import type { Resolution } from '../../lib/resolution';
import { Icon } from '../../lib/ui/Icon';
import { useNow } from '../../lib/useNow';
import { CoverageCalendar } from './CoverageCalendar';

interface InsideProps {
  ticker: string;
  resolution: Resolution;
  formats: Formats;
  onClose: () => void;
}

/** The cache made visible: what it saved, what is left, what it holds of the ticker on screen. */
export function Inside({ ticker, resolution, formats, onClose }: InsideProps) {
  const { data: status, error } = useQuery(statusQuery);
  return (
    <aside className="inside" data-testid="inside" aria-label="Inside the cache">
      <header className="inside-header">
        <h2>Inside the cache</h2>
        <button type="button" className="icon-button" aria-label="Close" data-testid="inside-close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {status === undefined ? (
        <p className="inside-quiet" data-testid="inside-waiting">
          {error instanceof ApiError ? error.body.message : 'Waiting for the server…'}
        </p>
      ) : (
        <Figures status={status} formats={formats} />
      )}
      {status !== undefined && (
        <CoverageCalendar ticker={ticker} resolution={resolution} today={status.market_date} formats={formats} />
      )}
    </aside>
  );
}

function Figures({ status, formats }: { status: Status; formats: Formats }) {
  const { memory, store, vendor } = status;
  const asked = memory.hits + memory.misses;
  const rate = asked === 0 ? null : memory.hits / asked;
  return (
    <>
      <div className="inside-big">
        <Big testid="hit-rate" name="Memory hit rate" value={rate === null ? '–' : formats.share(rate)} />
        <Big testid="calls-saved" name="Vendor calls saved" value={formats.integer(vendor.calls_saved)} />
      </div>
      <Meter part={rate ?? 0} label="Memory hit rate" />
      <dl className="inside-rows">
        <Row testid="vendor-calls" name="Vendor calls made" value={formats.integer(vendor.calls)} />
        <Row testid="quota" name="Quota left" value={quota(status, formats)} />
        <Breaker status={status} />
        <Row
          testid="memory"
          name="In memory"
          value={`${formats.integer(memory.entries)} ${memory.entries === 1 ? 'answer' : 'answers'}, ${formats.bytes(memory.bytes)}`}
        />
        <Row testid="store" name="Store" value={store.name} />
      </dl>
    </>
  );
}

function quota({ vendor }: Status, formats: Formats): string {
  if (vendor.allowance === null) return vendor.name === 'sample' ? 'No limit' : 'Not known';
  const left = Math.max(0, vendor.allowance - vendor.calls);
  return `${formats.integer(left)} of ${formats.integer(vendor.allowance)}`;
}

const BREAKER_WORDS: Record<string, string> = {
  closed: 'Closed: the store is well',
  open: 'Open: the store is skipped',
  half_open: 'Half open: trying the store',
  'half-open': 'Half open: trying the store',
};

function Breaker({ status }: { status: Status }) {
  const { breaker } = status.store;
  const until = breaker.open_until === null ? NaN : Date.parse(breaker.open_until);
  const now = useNow(Number.isNaN(until) ? null : 1000);
  const wait = Number.isNaN(until) || until <= now ? '' : `, next try in ${countdown((until - now) / 1000)}`;
  return (
    <Row
      testid="breaker"
      name="Breaker"
      value={`${BREAKER_WORDS[breaker.state] ?? breaker.state}${wait}`}
      state={breaker.state}
    />
  );
}

function Big({ testid, name, value }: { testid: string; name: string; value: string }) {
  return (
    <div>
      <p className="inside-number" data-testid={testid}>
        {value}
      </p>
      <p className="inside-quiet">{name}</p>
    </div>
  );
}

function Meter({ part, label }: { part: number; label: string }) {
  return (
    <div className="meter" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(part * 100)}>
      <span style={{ inlineSize: `${part * 100}%` }} />
    </div>
  );
}

function Row({ testid, name, value, state }: { testid: string; name: string; value: string; state?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd data-testid={testid} data-state={state}>
        {value}
      </dd>
    </div>
  );
}
