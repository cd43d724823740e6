import { describe, expect, it } from 'vitest';

import { formingCandles } from './forming';
import type { Answer } from './ohlc';

const OPENED = ['2025-11-26T14:30:00Z', '2025-11-26T14:35:00Z', '2025-11-26T14:40:00Z'];

function answer(forming: number, expiresAt: string | null, resolution = '5'): Answer {
  return { candles: { date: OPENED }, forming, resolution, cache_expires_at: expiresAt } as unknown as Answer;
}

describe('what still forms', () => {
  it('is the newest candle of a session in progress: those before it have closed', () => {
    expect(formingCandles(answer(3, '2025-11-26T14:47:10Z'))).toBe(1);
    expect(formingCandles(answer(3, null))).toBe(1);
  });

  it('is nothing once the newest has closed, though the session is not final', () => {
    expect(formingCandles(answer(3, '2025-11-26T14:50:00Z'))).toBe(0);
  });

  it('is a day’s candle until it is final', () => {
    expect(formingCandles(answer(1, '2025-11-26T23:00:00Z', 'D'))).toBe(1);
    expect(formingCandles(answer(0, null))).toBe(0);
  });
});
