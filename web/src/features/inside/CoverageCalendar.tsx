import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { coverageQuery, SESSION_STATES, type SessionCoverage, type SessionState } from '../../api/coverage';
import type { Formats } from '../../lib/format';
import { wallSeconds } from '../../lib/newYork';
import { type Resolution, RESOLUTION_NAMES } from '../../lib/resolution';
import { Icon } from '../../lib/ui/Icon';
import { tally, yearRows } from './year';

const FIRST_YEAR = 1970;
const STATE_NAMES: Record<SessionState, string> = {
  final: 'Final',
  forming: 'Forming',
  'known-empty': 'Known empty',
  rejected: 'With a row that cannot be true',
  missing: 'Not held',
  'not-due': 'Not due yet',
  unlisted: 'Not listed',
};

interface CoverageCalendarProps {
  ticker: string;
  resolution: Resolution;
  today: string;
  formats: Formats;
}

/** A year of sessions at a glance: a row for each month, a mark for each session. */
export function CoverageCalendar({ ticker, resolution, today, formats }: CoverageCalendarProps) {
  const thisYear = Number(today.slice(0, 4));
  const [chosen, setChosen] = useState<number | null>(null);
  const [pointed, setPointed] = useState<SessionCoverage | null>(null);
  const year = chosen ?? thisYear;
  const end = year === thisYear ? today : `${year}-12-31`;
  const { data, error } = useQuery(coverageQuery(ticker, resolution, `${year}-01-01`, end));
  const sessions = data?.sessions ?? [];
  const counts = tally(sessions);
  const present = SESSION_STATES.filter((state) => (counts[state] ?? 0) > 0);
  const summary = present.map((state) => `${formats.integer(counts[state] ?? 0)} ${STATE_NAMES[state].toLowerCase()}`).join(', ');
  return (
    <section className="coverage" data-testid="coverage" aria-label={`Coverage of ${ticker}`}>
      <header>
        <h3>
          {ticker}, {RESOLUTION_NAMES[resolution]}
        </h3>
        <div className="coverage-year">
          <button type="button" className="icon-button" aria-label="Year before" disabled={year <= FIRST_YEAR} onClick={() => setChosen(year - 1)}>
            <Icon name="left" size={16} />
          </button>
          <span data-testid="coverage-year">{year}</span>
          <button type="button" className="icon-button" aria-label="Year after" disabled={year >= thisYear} onClick={() => setChosen(year + 1)}>
            <Icon name="right" size={16} />
          </button>
        </div>
      </header>
      <div
        className="coverage-grid"
        role="img"
        aria-label={`${year}: ${summary === '' ? 'nothing known' : summary}`}
        onPointerLeave={() => {
          setPointed(null);
        }}
      >
        {yearRows(year, sessions).map(({ month, days }) => (
          <div className="coverage-month" key={month}>
            <span>{formats.monthShort(Date.UTC(year, month, 1) / 1000)}</span>
            {days.map(({ day, session }) => (
              <i
                key={day}
                data-state={session?.state ?? 'closed'}
                data-pointed={session !== null && session === pointed}
                onPointerEnter={() => {
                  setPointed(session);
                }}
              />
            ))}
          </div>
        ))}
      </div>
      <p className="inside-quiet coverage-word" data-testid="coverage-summary">
        {pointed === null ? summary || (error?.message ?? 'Nothing is held of this year.') : describe(pointed, formats)}
      </p>
      <ul className="coverage-key">
        {present.map((state) => (
          <li key={state}>
            <i data-state={state} />
            {STATE_NAMES[state]}
          </li>
        ))}
      </ul>
    </section>
  );
}

function describe(session: SessionCoverage, formats: Formats): string {
  const candles = `${formats.integer(session.candles)} ${session.candles === 1 ? 'candle' : 'candles'}`;
  return `${formats.day(wallSeconds(session.date))}: ${STATE_NAMES[session.state].toLowerCase()}, ${candles}`;
}
