/** The pictures of docs/page.md: every state, wide and narrow. Taken with PICTURES=1, in Chromium. */

import { ChartPage } from './support/chartPage.ts';
import { test, vendorTest } from './support/engine.ts';

const FOLDER = '../docs/images';
const MONTH = '/?ticker=AAPL&range=1M&resolution=D';
const SIZES = [
  ['wide', 1280, 800],
  ['narrow', 375, 667],
] as const;

for (const [size, width, height] of SIZES) {
  test.describe(size, () => {
    test.use({ viewport: { width, height } });

    const take = async (chart: ChartPage, name: string): Promise<void> => {
      await chart.page.screenshot({ path: `${FOLDER}/page-${name}-${size}.png`, animations: 'disabled' });
    };

    test('what one sees', async ({ page }) => {
      const chart = await new ChartPage(page).open();
      await chart.pointAt(150);
      await take(chart, 'chart');
      await chart.open('/?ticker=AAPL&range=5Y&resolution=D');
      await chart.byId('resolution-1').click({ force: true });
      await take(chart, 'refused');
      await chart.byId('tier').click();
      await take(chart, 'details');
      await chart.byId('ticker-input').pressSequentially('m');
      await chart.byId('suggestion-MSFT').waitFor();
      await take(chart, 'search');
      await page.keyboard.press('Escape');
      await chart.open('/?ticker=AAPL&range=1D&resolution=D');
      await take(chart, 'one-candle');
    });

    test('several', async ({ page }) => {
      const chart = await new ChartPage(page).open('/?ticker=AAPL,MSFT,IBM,ZEN&range=6M&resolution=D');
      for (const index of [0, 1, 2, 3]) await chart.at(index).settled();
      await chart.pointAt(70);
      await take(chart, 'grid');
    });

    test('dark, with the panel, and the help sheet', async ({ page }) => {
      await page.addInitScript(() => {
        localStorage.setItem('ohlcache.theme', 'dark');
      });
      const chart = await new ChartPage(page).open();
      await chart.byId('inside-toggle').click();
      await chart.byId('coverage-summary').getByText('final').waitFor();
      await take(chart, 'panel');
      await chart.byId('inside-close').click();
      await page.keyboard.press('?');
      await take(chart, 'help');
    });

    test('what is not there', async ({ page, network }) => {
      const chart = new ChartPage(page);
      await page.route('**/ohlc?*', () => new Promise(() => undefined));
      await page.goto(MONTH);
      await chart.byId('skeleton').waitFor();
      await page.waitForTimeout(300);
      await take(chart, 'skeleton');
      await page.unroute('**/ohlc?*');
      await page.goto('/?ticker=AAPL&start_date=2014-07-05&end_date=2014-07-06&resolution=D');
      await chart.byId('empty').waitFor();
      await take(chart, 'empty');
      await page.goto('/?ticker=NOPE&range=1M&resolution=D');
      await chart.byId('known-tickers').waitFor();
      await take(chart, 'unknown');
      await chart.open('/?ticker=AAPL&range=6M&resolution=D');
      network.set({ offline: true });
      await chart.byId('refresh').click();
      await chart.byId('retry-connection').waitFor();
      await take(chart, 'server-gone');
      network.reset();
      await chart.byId('connection').getByText('Back online').waitFor();
      await take(chart, 'back-online');
      await page.route('**/api/**', async (route) => {
        await route.fulfill({ status: 401, json: { error: { code: 'unauthorized', message: 'A key is needed.' } } });
      });
      await page.goto(MONTH);
      await chart.byId('key-box').waitFor();
      await take(chart, 'key');
    });
  });
}

vendorTest('what the vendor does', async ({ page, vendor }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=1M&resolution=D');
  const take = async (name: string): Promise<void> => {
    for (const [size, width, height] of SIZES) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(400);
      await page.screenshot({ path: `${FOLDER}/page-${name}-${size}.png`, animations: 'disabled' });
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  };
  await take('forming');
  await vendor.always({ '5xx': 503 });
  await chart.byId('range-5Y').click();
  await chart.byId('stale-bar').waitFor({ timeout: 20_000 });
  await take('vendor-down');
  await vendor.always({ '429': 40 });
  await page.goto('/?ticker=GOOGL&range=1M&resolution=D');
  await chart.byId('countdown').waitFor({ timeout: 30_000 });
  await take('quota');
});
