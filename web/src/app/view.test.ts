import { describe, expect, it } from 'vitest';

import { normaliseTicker, parseView, tickerOf, viewSearch } from './view';

describe('the address', () => {
  it('is read and written back the same', () => {
    for (const search of [
      '?ticker=AAPL&range=1Y&resolution=D',
      '?ticker=AAPL,MSFT,BRK.B&range=5Y&resolution=15&adjust=all',
      '?ticker=IBM&start_date=2014-01-02&end_date=2014-02-03&resolution=60&adjust=none&partial=true',
    ]) {
      expect(viewSearch(parseView('/', search, 'AAPL'))).toBe(search);
    }
  });

  it('takes the ticker from the path, and defaults for what is missing or impossible', () => {
    expect(viewSearch(parseView('/brk-b', '', 'AAPL'))).toBe('?ticker=BRK.B&range=1Y&resolution=D');
    expect(viewSearch(parseView('/', '?range=9Z&resolution=5m&adjust=x', 'IBM'))).toBe(
      '?ticker=IBM&range=1Y&resolution=D',
    );
  });

  it('keeps what cannot be a ticker, so that one learns that it cannot', () => {
    expect(viewSearch(parseView('/', '?ticker=a%20b&range=1M', 'IBM'))).toBe('?ticker=A+B&range=1M&resolution=D');
    expect(viewSearch(parseView('/', '?ticker=,%20,', 'IBM'))).toBe('?ticker=IBM&range=1Y&resolution=D');
  });

  it('names each ticker once, six at most', () => {
    expect(parseView('/', '?ticker=a,b,a,c,d,e,f,g', 'X').tickers).toEqual(['A', 'B', 'C', 'D', 'E', 'F']);
  });
});

describe('tickers', () => {
  it('that cannot be are cut, but never within a character', () => {
    expect(() => encodeURIComponent(tickerOf(`a${'🍏'.repeat(60)}`))).not.toThrow();
  });

  it('are normalised as the API does', () => {
    expect(['brk-b', ' aapl ', 'BRK.A', 'F'].map(normaliseTicker)).toEqual(['BRK.B', 'AAPL', 'BRK.A', 'F']);
    expect(['', 'A B', '../x', 'ABCDEFGHIJKLM'].map(normaliseTicker)).toEqual([null, null, null, null]);
  });
});
