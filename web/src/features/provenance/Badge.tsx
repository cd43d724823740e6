import './badge.css';

import { useId, useState } from 'react';

import type { Answer } from '../../api/ohlc';
import { ago, type Formats } from '../../lib/format';
import { wallSecondsExactly } from '../../lib/newYork';
import { Icon } from '../../lib/ui/Icon';
import { useNow } from '../../lib/useNow';
import { completeness } from './completeness';
import { sourceName, TIER_MEANING, tierKind } from './tiers';

/** Which tier answered, how old its word is, and whether it is all there; details on demand. */
export function Badge({ answer, formats }: { answer: Answer; formats: Formats }) {
  const [open, setOpen] = useState(false);
  const details = useId();
  const { provenance } = answer;
  const now = useNow(1000);
  const age = Math.max(0, provenance.ageSeconds + (now - provenance.receivedAtMs) / 1000);
  const whole = completeness(answer, formats);
  const kind = tierKind(provenance.tier);
  return (
    <div
      className="badge"
      data-testid="badge"
      data-tier={provenance.tier}
      data-grade={whole.grade}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') setOpen(false);
      }}
    >
      <button
        type="button"
        className="badge-button"
        aria-expanded={open}
        aria-controls={details}
        onClick={() => {
          setOpen(!open);
        }}
      >
        <span className="badge-tier" data-kind={kind} data-testid="tier" title={`${sourceName(provenance.tier)}: ${TIER_MEANING[kind]}`}>
          {sourceName(provenance.tier)}
        </span>
        <span className="badge-age" data-testid="age">Data from {ago(age)}</span>
        <span className="badge-grade" data-testid="completeness">
          <Icon name={whole.grade === 'complete' ? 'check' : 'warn'} size={15} />
          {whole.short}
        </span>
      </button>
      <div className="badge-details" id={details} hidden={!open} data-testid="badge-details">
        <p>{whole.why}</p>
        <dl>
          <Row name="Answered by" value={`${sourceName(provenance.tier)}, in ${formats.integer(Math.max(1, provenance.elapsedMs))} ms`} />
          <Row name="Source" value={sourceName(answer.source)} />
          <Row name="Candles" value={candlesWords(answer, formats)} />
          {answer.known_empty > 0 && <Row name="Empty sessions" value={`${formats.integer(answer.known_empty)}, confirmed`} />}
          {answer.forming > 0 && <Row name="May still change" value={formats.integer(answer.forming)} />}
          <Row name="True until" value={instant(answer.cache_expires_at ?? '', formats)} />
          <Row name="Calendar" value={answer.calendar_version} />
          {provenance.cacheKey !== null && <Row name="Key" value={provenance.cacheKey} code />}
        </dl>
        {provenance.degraded && <p>A failing tier was worked around on the way.</p>}
      </div>
    </div>
  );
}

function candlesWords({ count, expected }: Answer, formats: Formats): string {
  const due = `${formats.integer(Math.min(count, expected))} of ${formats.integer(expected)} due`;
  return count > expected ? `${due}, ${formats.integer(count - expected)} more` : due;
}

function Row({ name, value, code = false }: { name: string; value: string; code?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{code ? <code>{value}</code> : value}</dd>
    </div>
  );
}

function instant(iso: string, formats: Formats): string {
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return '–';
  const wall = wallSecondsExactly(ms / 1000);
  return `${formats.day(wall)}, ${formats.time(wall)} New York`;
}
