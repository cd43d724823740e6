import { describe, expect, it } from 'vitest';

import { withNewest } from './recent';

describe('recent tickers', () => {
  it('puts the newest first, each once, six at most', () => {
    expect(withNewest(['A', 'B', 'C'], 'B')).toEqual(['B', 'A', 'C']);
    expect(withNewest(['A', 'B', 'C', 'D', 'E', 'F'], 'G')).toEqual(['G', 'A', 'B', 'C', 'D', 'E']);
  });
});
