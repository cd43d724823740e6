import { describe, expect, it } from 'vitest';

import { GLIDE_MS, glideAt } from './glide';

describe('a glide', () => {
  const [start, end] = [
    { from: 0, to: 100 },
    { from: 20, to: 80 },
  ];

  it('begins where it was and ends exactly where it should be, whatever the frame rate', () => {
    expect(glideAt(start, end, 0)).toEqual(start);
    expect(glideAt(start, end, GLIDE_MS)).toBe(end);
    expect(glideAt(start, end, GLIDE_MS * 3)).toBe(end);
  });

  it('only ever moves forward', () => {
    const steps = [0.1, 0.3, 0.5, 0.9, 1].map((part) => glideAt(start, end, part * GLIDE_MS).from);
    expect([...steps].sort((a, b) => a - b)).toEqual(steps);
  });
});
