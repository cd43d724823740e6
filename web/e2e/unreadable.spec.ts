/** Answers that are none: a login page, a proxy's apology, half an answer, an answer of another version. */

import { answer, ChartPage } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';

const MONTH = '/?ticker=AAPL&range=1M&resolution=D';
const NO_ANSWERS = ['{}', '[]', '"candles"', 'null', '7', '', '{"ticker":"AAPL","candles":{"da', '<!doctype html><p>Log in'];

test('candles that cannot be read: a panel that says so, and a retry', async ({ page, server, consoleErrors }) => {
  const whole = await answer(server, 'range=1M');
  const withNull = { ...whole, candles: { ...whole.candles, close: whole.candles.close.map(() => null) } };
  const uneven = { ...whole, candles: { ...whole.candles, volume: [] } };
  const chart = new ChartPage(page);
  for (const body of [...NO_ANSWERS, JSON.stringify(withNull), JSON.stringify(uneven)]) {
    await page.route('**/ohlc?*', async (route) => {
      await route.fulfill({ contentType: 'application/json', body });
    });
    await page.goto(MONTH);
    await expect(chart.byId('trouble'), body.slice(0, 40)).toContainText('The answer cannot be read');
    await expect(chart.byId('controls')).toBeVisible();
    await page.unroute('**/ohlc?*');
    await chart.byId('retry').click();
    await chart.settled(whole.count);
  }
  expect(consoleErrors).toEqual([]);
});

test('a refresh that cannot be read leaves the chart that was there', async ({ page, server }) => {
  const chart = await new ChartPage(page).open(MONTH);
  const { count } = await answer(server, 'range=1M');
  await page.route('**/ohlc?*', async (route) => {
    await route.fulfill({ contentType: 'text/html', body: '<p>Log in' });
  });
  await chart.byId('refresh').click();
  await expect(chart.byId('trouble-bar')).toContainText('The answer cannot be read');
  await expect(chart.chart).toHaveAttribute('data-candles', String(count));
  expect(await chart.axe()).toEqual([]);
  await page.unroute('**/ohlc?*');
  await chart.byId('retry').click();
  await expect(chart.byId('trouble-bar')).toHaveCount(0);
});

test('without a status, suggestions or coverage that can be read the charts stand, and the rest says so', async ({
  page,
  server,
  consoleErrors,
}) => {
  const { count } = await answer(server, 'range=1M');
  const chart = new ChartPage(page);
  let body = '';
  await page.route(/\/api\/v2\/(status|tickers\?|tickers\/[^/]+\/coverage)/, async (route) => {
    await route.fulfill({ contentType: 'application/json', body });
  });
  for (body of NO_ANSWERS) {
    await page.goto(MONTH);
    await chart.settled(count);
    await page.keyboard.press('i');
    await expect(chart.byId('inside-waiting'), body).toContainText('cannot read');
    await page.keyboard.press('i');
    await chart.byId('ticker-input').pressSequentially('msft');
    await chart.byId('ticker-input').press('Enter');
    await chart.settled();
    await expect(chart.byId('ticker')).toHaveText('MSFT');
  }
  expect(consoleErrors).toEqual([]);
});
