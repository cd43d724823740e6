import { describe, expect, it } from 'vitest';

import { ago, countdown, decimalsFor, formatsFor, localeOf } from './format';

const DAY = Date.UTC(2014, 11, 31) / 1000;

describe('formats', () => {
  it('writes numbers and dates as the locale does', () => {
    expect(formatsFor('en-US').price(1234.5, 2)).toBe('1,234.50');
    expect(formatsFor('de-DE').price(1234.5, 2)).toBe('1.234,50');
    expect(formatsFor('en-US').dayLong(DAY)).toBe('December 31, 2014');
    expect(formatsFor('de-DE').dayLong(DAY)).toBe('31. Dezember 2014');
  });

  it('takes American English where the system reports a language that is none', () => {
    expect(['de-DE', 'en-US@posix', 'C', ''].map(localeOf)).toEqual(['de-DE', 'en-US', 'en-US', 'en-US']);
  });

  it('shows a price to the cent, and what lies beyond it', () => {
    const { exact } = formatsFor('en-US');
    expect(exact(110.38)).toBe('110.38');
    expect(exact(79.01857142)).toBe('79.0186');
    expect(exact(5)).toBe('5.00');
    expect(exact(0.098943)).toBe('0.098943');
  });

  it('signs changes and leaves zero without a sign', () => {
    const { signed, percent } = formatsFor('en-US');
    expect(signed(1.5, 2)).toBe('+1.50');
    expect(signed(0, 2)).toBe('0.00');
    expect(percent(-0.019)).toBe('-1.90%');
  });

  it('has finer axes for prices of cents', () => {
    expect(decimalsFor(0.42)).toBe(4);
    expect(decimalsFor(110)).toBe(2);
  });
});

describe('ages', () => {
  it('counts in the unit that fits', () => {
    expect([0, 4, 5, 59, 60, 179, 180, 3600, 90_000, 200_000].map(ago)).toEqual([
      'just now',
      'just now',
      '5 seconds ago',
      '59 seconds ago',
      '1 minute ago',
      '2 minutes ago',
      '3 minutes ago',
      '1 hour ago',
      '1 day ago',
      '2 days ago',
    ]);
  });

  it('counts down in minutes and seconds, never below zero', () => {
    expect([41.2, 60, 3601, -3].map(countdown)).toEqual(['0:42', '1:00', '1:00:01', '0:00']);
  });
});
