/** From nothing to candles on screen, and what the page says about where they came from. */

import { ChartPage, answer, watchOhlc } from './support/chartPage.ts';
import { expect, test, vendorTest } from './support/engine.ts';
import { SLOW_3G } from './support/netProxy.ts';

const YEAR = '/?ticker=AAPL&range=1Y&resolution=D&adjust=splits';

test('H1 the page loads: candles, title, no error in the console', async ({ page, server, consoleErrors }) => {
  const chart = await new ChartPage(page).open('/');
  const expected = await answer(server, 'range=1Y&resolution=D');
  await chart.settled(expected.count);
  await expect(page).toHaveTitle('AAPL · 1Y · daily – ohlcache');
  await expect(page).toHaveURL(/\?ticker=AAPL&range=1Y&resolution=D$/);
  await expect(chart.byId('ticker')).toHaveText('AAPL');
  await expect(chart.byId('last-close')).toHaveText('110.38');
  await expect(chart.byId('note-data-until')).toHaveText('Sample data: it ends on December 31, 2014.');
  expect(consoleErrors).toEqual([]);
});

test('H1 a link to a ticker opens it', async ({ page }) => {
  const chart = await new ChartPage(page).open('/MSFT?range=3M');
  await expect(chart.byId('ticker')).toHaveText('MSFT');
  await expect(page).toHaveURL(/\?ticker=MSFT&range=3M&resolution=D$/);
});

vendorTest('H3 a hit is faster than a miss', async ({ page, vendor }) => {
  await vendor.latency(1.2);
  const chart = await new ChartPage(page).open('/?ticker=GOOGL&range=1M&resolution=D');
  await expect(chart.byId('badge')).toHaveAttribute('data-tier', 'tiingo');
  const took = async (): Promise<number> =>
    await page.evaluate(() => {
      const entries = performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/ohlc?'));
      return entries.at(-1)?.duration ?? NaN;
    });
  const miss = await took();
  await chart.open('/?ticker=GOOGL&range=1M&resolution=D');
  await expect(chart.byId('badge')).toHaveAttribute('data-tier', 'in-memory');
  const hit = await took();
  expect(miss).toBeGreaterThan(1200);
  expect(hit).toBeLessThan(miss / 2);
});

test('H4 the header X-Cache-Source is visible on the page', async ({ page }) => {
  const chart = new ChartPage(page);
  const answered = page.waitForResponse((response) => response.url().includes('/ohlc?'));
  await chart.open('/?ticker=IBM&range=6M&resolution=D');
  const source = (await answered).headers()['x-cache-source'];
  expect(source).toBeTruthy();
  await expect(chart.byId('badge')).toHaveAttribute('data-tier', source ?? '');
  await expect(chart.byId('tier')).toBeVisible();
  await expect(chart.byId('completeness')).toContainText('Complete');
  await chart.byId('tier').click();
  await expect(chart.byId('badge-details')).toContainText('ohlc:IBM:D:6M:2014-12-31');
});

vendorTest('H9 a refresh of the page hits the cache', async ({ page, vendor }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=3M&resolution=D');
  const calls = (await vendor.calls()).length;
  await page.reload();
  await chart.settled();
  await expect(chart.byId('badge')).toHaveAttribute('data-tier', 'in-memory');
  await chart.byId('refresh').click();
  await chart.settled();
  await expect(chart.byId('badge')).toHaveAttribute('data-tier', 'in-memory');
  expect((await vendor.calls()).length).toBe(calls);
});

test('H15 slow 3G: a skeleton first, then candles', async ({ page, network, server }) => {
  test.slow();
  const { count } = await answer(server, 'range=1Y');
  network.set(SLOW_3G);
  const chart = new ChartPage(page);
  // The answer is let through once the skeleton was looked at; on a slow line it stands for a second or less.
  let letThrough: () => void = () => undefined;
  const looked = new Promise<void>((resolve) => {
    letThrough = resolve;
  });
  await page.route('**/ohlc?*', async (route) => {
    await looked;
    await route.continue();
  });
  await page.goto(YEAR, { waitUntil: 'commit' });
  // On such a line the scripts alone take seconds, and on a busy machine more.
  await expect(chart.byId('skeleton')).toBeVisible({ timeout: 90_000 });
  const outside = await chart.byId('skeleton').evaluate((skeleton) => {
    const box = skeleton.getBoundingClientRect();
    const inside = ({ top, bottom }: DOMRect): boolean => top >= box.top - 1 && bottom <= box.bottom + 1;
    return [...skeleton.children].filter((bar) => !inside(bar.getBoundingClientRect())).length;
  });
  expect(outside).toBe(0);
  letThrough();
  await expect(chart.chart).toHaveAttribute('data-candles', String(count));
  expect(await page.evaluate(() => performance.now())).toBeGreaterThan(2000);
});

test('H21 Cache-Control lets no browser show stale candles', async ({ page }) => {
  const chart = new ChartPage(page);
  const answered = page.waitForResponse((response) => response.url().includes('/ohlc?'));
  await chart.open(YEAR);
  const header = (await answered).headers()['cache-control'] ?? '';
  expect(header).toMatch(/no-store|max-age=0, must-revalidate/);
  // Each return to the same view after a reload is a request of its own.
  const seen = watchOhlc(page);
  await page.reload();
  await chart.settled();
  expect(seen.length).toBeGreaterThan(0);
});

test('JavaScript is at most 150 kB, compressed', async ({ page, server }) => {
  await new ChartPage(page).open(YEAR);
  const scripts = await page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .map((entry) => entry.name)
      .filter((name) => new URL(name).pathname.endsWith('.js')),
  );
  let bytes = 0;
  for (const script of scripts) {
    const { gzipSync } = await import('node:zlib');
    bytes += gzipSync(Buffer.from(await (await fetch(server.url + new URL(script).pathname)).arrayBuffer())).length;
  }
  expect(scripts.length).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(150_000);
});
