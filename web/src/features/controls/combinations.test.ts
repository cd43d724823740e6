import { describe, expect, it } from 'vitest';

import type { Status } from '../../api/status';
import { adjustmentRefusal, candlesAtMost, resolutionRefusal, tooMany } from './combinations';

const status = {
  source: 'finnhub',
  resolutions: { D: { adjustments: ['splits'], synthetic: false } },
} as unknown as Status;

describe('combinations', () => {
  it('refuses one-minute candles over five years, and says why', () => {
    expect(tooMany({ range: '5Y' }, '1')).toContain('some 493 thousand');
    expect(tooMany({ range: '1Y' }, '1')).toBeNull();
    expect(tooMany({ range: '5Y' }, '5')).toBeNull();
    expect(candlesAtMost({ startDate: '2010-01-01', endDate: '2014-12-31' }, 'D')).toBeGreaterThan(1258);
  });

  it('refuses nothing for dates that are none', () => {
    expect(tooMany({ startDate: '2014-13-45', endDate: '2014-12-12' }, 'D')).toBeNull();
    expect(candlesAtMost({ startDate: '2014-12-12', endDate: '2014-01-01' }, '1')).toBe(0);
  });

  it('refuses what the source lacks, and says what it has', () => {
    expect(resolutionRefusal({ range: '1M' }, '5', status)).toBe('The source finnhub has no 5-minute candles.');
    expect(adjustmentRefusal('D', 'all', status)).toContain('only adjusted for splits');
    expect(adjustmentRefusal('D', 'splits', status)).toBeNull();
  });

  it('refuses nothing while nothing is known', () => {
    expect(resolutionRefusal({ range: '1M' }, '5', undefined)).toBeNull();
    expect(adjustmentRefusal('5', 'all', undefined)).toBeNull();
  });
});
