/** What is shipped: small enough, from this origin only, with the attribution. */

import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

const BUILT = new URL('../../src/ohlcache/http/static/', import.meta.url);
const JAVASCRIPT_BYTES_MAX = 150_000;

function files(folder: URL): URL[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(new URL(`${entry.name}/`, folder)) : [new URL(entry.name, folder)],
  );
}

describe('the built page', () => {
  const scripts = files(BUILT).filter((file) => file.pathname.endsWith('.js'));

  it('has at most 150 kB of JavaScript, compressed', () => {
    const bytes = scripts.map((file) => gzipSync(readFileSync(file)).length);
    expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(JAVASCRIPT_BYTES_MAX);
  });

  it('is index.html and files whose names carry their content', () => {
    expect(files(BUILT).map((file) => file.pathname.split('/').at(-1))).toContain('index.html');
    const html = readFileSync(new URL('index.html', BUILT), 'utf8');
    expect(html).toMatch(/assets\/index-[\w-]{8,}\.js/);
    expect(html).not.toContain('<script>');
  });

  it('keeps the attribution of the chart library', () => {
    expect(scripts.some((file) => readFileSync(file, 'utf8').includes('tradingview.com'))).toBe(true);
  });
});
