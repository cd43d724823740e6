/** Age, refreshing, returning to a tab. */

import type { ChartElement } from '../src/features/chart/Chart.tsx';
import { ChartPage, watchOhlc } from './support/chartPage.ts';
import { expect, test, vendorTest } from './support/engine.ts';
import { VendorStack } from './support/servers.ts';

const MONTH = '/?ticker=AAPL&range=1M&resolution=D';
const MINUTE_MS = 60_000;

test('H25 the age is shown and grows', async ({ page }) => {
  await page.clock.install();
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await page.clock.runFor(2000);
  await expect(chart.byId('age')).toContainText(/Data from (just now|\d+ (second|minute)s? ago)/);
  await page.clock.runFor(3 * MINUTE_MS);
  await expect(chart.byId('age')).toContainText(/Data from [3-9] minutes ago/);
});

test('H24 a return after five hidden minutes refreshes', async ({ page }) => {
  await page.clock.install();
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await page.clock.runFor(1000);
  await expect(chart.chart).toHaveAttribute('data-candles', /^[1-9]/);
  const seen = watchOhlc(page);
  await chart.setHidden(true);
  await page.clock.runFor(4 * MINUTE_MS);
  await chart.setHidden(false);
  await page.clock.runFor(500);
  expect(seen).toHaveLength(0);
  await chart.setHidden(true);
  await page.clock.runFor(5 * MINUTE_MS);
  await chart.setHidden(false);
  await page.clock.runFor(500);
  await expect.poll(() => seen.length).toBe(1);
});

test('H26 offline on return: the chart stays, a banner, and back again', async ({ page, network }) => {
  await page.clock.install();
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await page.clock.runFor(1000);
  await expect(chart.chart).toHaveAttribute('data-candles', /^[1-9]/);
  const candles = await chart.chart.getAttribute('data-candles');
  await chart.setHidden(true);
  network.set({ offline: true });
  await page.clock.runFor(6 * MINUTE_MS);
  await chart.setHidden(false);
  await expect(chart.byId('connection')).toHaveAttribute('data-state', 'unreachable');
  await expect(chart.chart).toHaveAttribute('data-candles', candles ?? '');
  network.reset();
  await expect(async () => {
    await page.clock.runFor(2100);
    await expect(chart.byId('connection')).toHaveAttribute('data-state', /restored|connected/, { timeout: 500 });
  }).toPass({ timeout: 90_000 });
});

test('H22 a new session is there after a refresh', async ({ page }) => {
  test.slow();
  const monday = await new VendorStack().start('2024-06-04T22:00:00Z');
  let tuesday: VendorStack | undefined;
  try {
    const chart = await new ChartPage(page).open(`${monday.server.url}${MONTH}`);
    await expect(chart.byId('legend-date')).toHaveText('Tue, Jun 4, 2024');
    // The same server, a day later.
    tuesday = await new VendorStack().start('2024-06-05T22:00:00Z');
    await monday.server.kill();
    await monday.server.start({ OHLCACHE_CLOCK: '2024-06-05T22:00:00Z', TIINGO_BASE_URL: tuesday.vendor.url });
    await chart.byId('refresh').click();
    await expect(chart.byId('legend-date')).toHaveText('Wed, Jun 5, 2024');
  } finally {
    await tuesday?.stop();
    await monday.stop();
  }
});

vendorTest('the forming candle is drawn differently and said to be forming', async ({ page }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=1W&resolution=D&adjust=splits');
  await expect(chart.byId('legend')).toContainText('still forming');
  const box = await chart.box();
  await expect(page).toHaveScreenshot('forming.png', {
    clip: { x: box.x + box.width / 2, y: box.y, width: box.width / 2, height: box.height },
  });
  await chart.byId('tier').click();
  await expect(chart.byId('badge-details')).toContainText('still forming');
});

test('during a session only the newest five minutes form, and the page asks again when they may have changed', async ({
  page,
}) => {
  test.slow();
  const stack = await new VendorStack().start('2025-11-26T16:07:30Z');
  try {
    await page.clock.install();
    const chart = new ChartPage(page);
    await page.goto(`${stack.server.url}/?ticker=AAPL&range=1D&resolution=5`);
    await expect(chart.chart).toHaveAttribute('data-candles', /^[12]/);
    await expect(chart.byId('badge')).toHaveAttribute('data-tier', 'tiingo');
    const forming = await chart.chart.evaluate((element) =>
      (element as ChartElement).candleChart?.bars.map((bar) => bar.forming),
    );
    expect(forming?.at(-1)).toBe(true);
    expect(forming?.slice(0, -1)).not.toContain(true);
    await chart.byId('tier').click();
    await expect(chart.byId('badge-details')).toContainText('The newest is still forming');
    await expect(chart.byId('badge-details')).not.toContainText('do not exist');
    const seen = watchOhlc(page);
    await page.clock.runFor(4 * MINUTE_MS);
    expect(seen).toHaveLength(0);
    await page.clock.runFor(2 * MINUTE_MS);
    await expect.poll(() => seen.length).toBeGreaterThan(0);
  } finally {
    await stack.stop();
  }
});

vendorTest('the panel tells what the cache did', async ({ page, stack }) => {
  const chart = await new ChartPage(page).open('/?ticker=MSFT&range=1Y&resolution=D');
  await page.reload();
  await chart.settled();
  await chart.byId('inside-toggle').click();
  await expect(chart.byId('coverage-summary')).toContainText('final');
  await expect(chart.byId('breaker')).toContainText('Closed');
  interface Counters {
    vendor: { calls: number; calls_saved: number };
  }
  const status = await stack.server.json<Counters>('/api/v2/status');
  await expect(chart.byId('vendor-calls')).toHaveText(String(status.vendor.calls));
  await expect(chart.byId('calls-saved')).toHaveText(String(status.vendor.calls_saved));
  expect(status.vendor.calls_saved).toBeGreaterThan(0);
});
