import { describe, expect, it } from 'vitest';

import { safely } from './safely';

describe('what a chart does by itself', () => {
  it('fails as its own failure, never into whoever called it', () => {
    const failures: string[] = [];
    const act = safely((name: string) => {
      if (name === 'bad') throw new Error(name);
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- a library may throw anything
      if (name === 'odd') throw name;
    }, (error) => failures.push(error.message));
    for (const name of ['good', 'bad', 'odd']) act(name);
    expect(failures).toEqual(['bad', 'odd']);
  });
});
