import { describe, expect, it } from 'vitest';

import type { Answer } from '../../api/ohlc';
import { formatsFor } from '../../lib/format';
import { completeness } from './completeness';

const formats = formatsFor('en-US');

function graded(part: Partial<Answer>) {
  const whole = { resolution: 'D', candles: { date: [] }, cache_expires_at: '2025-11-26T21:15:10Z', count: 21, expected: 21, forming: 0, known_empty: 0, complete: true, stale: false, stale_reason: null, missing_reason: null, missing: [] };
  return completeness({ ...whole, ...part } as unknown as Answer, formats);
}

describe('completeness', () => {
  it('says that everything is there', () => {
    expect(graded({}).why).toBe('All 21 candles that the exchange calendar demands are here.');
  });

  it('says that the vendor confirmed the gaps', () => {
    const { grade, why } = graded({ count: 19 });
    expect(grade).toBe('complete');
    expect(why).toContain('confirmed that the other 2 do not exist');
  });

  it('counts a forming candle apart, due or not', () => {
    for (const count of [21, 22]) {
      expect(graded({ count, forming: 1 }).why).toBe(
        'All 21 candles that the exchange calendar demands are here. The newest is still forming.',
      );
    }
  });

  it('invents no gap while a session is in progress: all its candles may change, and all are here', () => {
    const { why } = graded({ resolution: '15', candles: { date: ['2025-11-26T21:00:00Z'] } as Answer['candles'], expected: 136, count: 137, forming: 7 });
    expect(why).toBe('All 136 candles that the exchange calendar demands are here. The newest is still forming.');
    expect(graded({ expected: 0, count: 1, forming: 1 }).why).toBe('Nothing is due yet. The newest is still forming.');
  });

  it('says of a closed session that it is not final', () => {
    const part = {
      resolution: '5',
      candles: { date: ['2025-11-26T20:55:00Z'] },
      expected: 78,
      count: 78,
      forming: 78,
    } as unknown as Partial<Answer>;
    expect(graded(part).why).toBe('All 78 candles that the exchange calendar demands are here. The session is not final yet.');
  });

  it('speaks of one as of one', () => {
    expect(graded({ count: 20 }).why).toContain('the other one does not exist');
    expect(graded({ count: 1, expected: 1 }).why).toContain('The one candle that');
  });

  it('names what is missing', () => {
    const { grade, short, why } = graded({ complete: false, missing: ['2014-12-30', '2014-12-31'] });
    expect([grade, short]).toEqual(['incomplete', 'Incomplete: 2 sessions missing']);
    expect(why).toContain('Dec 30, Dec 31');
  });

  it('says why, in the vendor’s case and in the gap’s', () => {
    const stale = graded({ stale: true, stale_reason: 'The vendor’s allowance is used up.', missing: ['2014-12-31'] });
    expect(stale.why).toBe('The vendor’s allowance is used up. Candles that are due are not here: Dec 31.');
    const incomplete = graded({ complete: false, missing_reason: 'A row cannot be true.', missing: ['2014-12-31'] });
    expect(incomplete.why).toBe('A row cannot be true. Sessions are missing: Dec 31.');
    expect(graded({ complete: false, missing: ['2014-12-31'] }).why).toBe('Sessions are missing: Dec 31.');
  });

  it('marks what is stale', () => {
    expect(graded({ stale: true, missing: ['2014-12-31'] }).short).toBe('Stale');
  });

  it('misses nothing where there was no session', () => {
    expect(graded({ count: 0, expected: 0 }).why).toContain('no session');
  });
});
