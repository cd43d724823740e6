import { describe, expect, it } from 'vitest';

import { daysBetween, isoDay, marketDate, shiftDay, wallSeconds } from './newYork';

const at = (wall: string): number => Date.parse(`${wall}Z`) / 1000;

describe('New York wall time', () => {
  it('puts 09:30 in New York at 09:30, on both sides of daylight saving (C8)', () => {
    expect(wallSeconds('2024-03-08T14:30:00Z')).toBe(at('2024-03-08T09:30:00'));
    expect(wallSeconds('2024-03-11T13:30:00Z')).toBe(at('2024-03-11T09:30:00'));
    expect(wallSeconds('2024-11-01T13:30:00Z')).toBe(at('2024-11-01T09:30:00'));
    expect(wallSeconds('2024-11-04T14:30:00Z')).toBe(at('2024-11-04T09:30:00'));
  });

  it('keeps a daily date as it is', () => {
    expect(isoDay(wallSeconds('2014-12-31'))).toBe('2014-12-31');
  });

  it('dates an instant by New York, not by UTC', () => {
    expect(marketDate('2015-01-01T01:00:00Z')).toBe('2014-12-31');
    expect(marketDate('2024-06-05')).toBe('2024-06-05');
  });

  it('shifts and counts days across months and leap years', () => {
    expect(shiftDay('2024-03-01', -1)).toBe('2024-02-29');
    expect(daysBetween('2023-12-31', '2024-12-31')).toBe(366);
  });
});
