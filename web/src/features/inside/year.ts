/** A year of sessions as twelve rows of days, for the coverage calendar. */

import type { SessionCoverage, SessionState } from '../../api/coverage';

export interface Day {
  day: number;
  session: SessionCoverage | null;
}

export interface MonthRow {
  /** 0 to 11. */
  month: number;
  days: Day[];
}

export function yearRows(year: number, sessions: readonly SessionCoverage[]): MonthRow[] {
  const byDate = new Map(sessions.map((session) => [session.date, session]));
  return Array.from({ length: 12 }, (_, month) => {
    const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    return {
      month,
      days: Array.from({ length }, (__, index) => {
        const day = index + 1;
        const date = `${year}-${String(month + 1).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
        return { day, session: byDate.get(date) ?? null };
      }),
    };
  });
}

export function tally(sessions: readonly SessionCoverage[]): Partial<Record<SessionState, number>> {
  const counts: Partial<Record<SessionState, number>> = {};
  for (const { state } of sessions) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
