import { describe, expect, it } from 'vitest';

import { suggest } from './suggest';

const EVERYTHING = [
  { ticker: 'AAPL', name: 'Apple Inc.' },
  { ticker: 'MSFT', name: 'Microsoft Corporation' },
];

const tickers = (text: string, recent: string[], answered: boolean): string[] =>
  suggest(text, EVERYTHING, recent, answered).map(({ ticker }) => ticker);

describe('suggestions', () => {
  it('put recent tickers that fit first, each once', () => {
    expect(tickers('', ['MSFT', 'IBM'], true)).toEqual(['MSFT', 'IBM', 'AAPL']);
    expect(tickers('ms', ['MSFT', 'IBM'], true)).toEqual(['MSFT', 'AAPL']);
  });

  it('of an older text stay only where they fit what is typed now', () => {
    expect(tickers('micro', [], false)).toEqual(['MSFT']);
    expect(tickers('aa', [], false)).toEqual(['AAPL']);
    expect(tickers('zzz', [], false)).toEqual([]);
  });

  it('are the source’s own choice once it has answered', () => {
    expect(tickers('zzz', [], true)).toEqual(['AAPL', 'MSFT']);
  });
});
