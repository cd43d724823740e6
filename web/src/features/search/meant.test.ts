import { describe, expect, it } from 'vitest';

import { meantTicker } from './meant';

const KNOWN = [
  { ticker: 'AAPL', name: 'Apple Inc.' },
  { ticker: 'MSFT', name: 'Microsoft Corporation' },
  { ticker: 'TSLA', name: 'Tesla, Inc.' },
];

describe('what Enter means', () => {
  it('is the ticker whose name was typed', () => {
    expect(['apple', 'Apple Inc', 'micro'].map((text) => meantTicker(text, KNOWN))).toEqual(['AAPL', 'AAPL', 'MSFT']);
  });

  it('is the text itself where it may be a ticker that nobody suggested', () => {
    expect([' msft ', 'AAP', 'F', 'te', 'NOPE', 'a b'].map((text) => meantTicker(text, KNOWN))).toEqual([
      'msft',
      'AAP',
      'F',
      'te',
      'NOPE',
      'a b',
    ]);
  });
});
