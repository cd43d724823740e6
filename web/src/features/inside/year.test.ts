import { describe, expect, it } from 'vitest';

import type { SessionCoverage } from '../../api/coverage';
import { tally, yearRows } from './year';

const session = (date: string, state: SessionCoverage['state']): SessionCoverage => ({
  date,
  state,
  candles: 1,
  observed_at: null,
});

describe('the coverage calendar', () => {
  it('has a row for each month and a place for each day, leap days included', () => {
    const rows = yearRows(2024, [session('2024-02-29', 'final')]);
    expect(rows.map((row) => row.days.length)).toEqual([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);
    expect(rows[1]?.days[28]?.session?.state).toBe('final');
    expect(rows[1]?.days[27]?.session).toBeNull();
  });

  it('counts sessions by state', () => {
    expect(tally([session('a', 'final'), session('b', 'final'), session('c', 'missing')])).toEqual({
      final: 2,
      missing: 1,
    });
  });
});
