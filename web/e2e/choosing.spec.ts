/** Ticker, range, resolution, adjustment, several charts; and the address that carries them. */

import { answer, ChartPage, watchOhlc } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';

const RANGES = ['1D', '1W', '1M', '3M', '6M', '5Y', 'YTD'] as const;

test('H5 every range asks for itself and shows what came', async ({ page, server }) => {
  const first = page.waitForRequest((request) => request.url().includes('range=1Y&'));
  const chart = await new ChartPage(page).open();
  await first;
  for (const range of RANGES) {
    const asked = page.waitForRequest((request) => request.url().includes(`range=${range}&`));
    await chart.byId(`range-${range}`).click();
    await asked;
    await expect(chart.byId(`range-${range}`)).toHaveAttribute('aria-pressed', 'true');
    await expect(page).toHaveURL(new RegExp(`range=${range}&`));
    const expected = await answer(server, `range=${range}&resolution=D`);
    await chart.settled(expected.count);
    expect((await chart.bars()).map((bar) => bar.close)).toEqual(expected.candles.close);
  }
});

test('H6 every resolution shows its own candles', async ({ page, server }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=1W&resolution=D&adjust=splits');
  for (const resolution of ['60', '30', '15', '5', '1']) {
    await chart.byId(`resolution-${resolution}`).click();
    const expected = await answer(server, `range=1W&resolution=${resolution}`);
    await chart.settled(expected.count);
    await expect(page).toHaveURL(new RegExp(`resolution=${resolution}&`));
    await expect(chart.byId('note-synthetic')).toContainText('Synthetic intraday');
    const bars = await chart.bars();
    expect(bars.at(-1)?.close).toBe(expected.candles.close.at(-1));
    // 09:30 in New York opens the first session.
    expect(new Date(Number(bars[0]?.time) * 1000).toISOString()).toContain('T09:30:00');
  }
});

test('H6 adjustments change the prices', async ({ page, server }) => {
  const chart = await new ChartPage(page).open();
  for (const adjust of ['none', 'all', 'splits']) {
    await chart.byId(`adjust-${adjust}`).click();
    await expect(page).toHaveURL(new RegExp(`adjust=${adjust}`));
    const expected = await answer(server, `range=1Y&resolution=D&adjust=${adjust}`);
    await expect.poll(async () => (await chart.bars())[0]?.open).toBe(expected.candles.open[0]);
  }
});

test('H6 what cannot be had is explained, not hidden', async ({ page }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=5Y&resolution=D');
  const minute = chart.byId('resolution-1');
  await expect(minute).toHaveAttribute('aria-disabled', 'true');
  const seen = watchOhlc(page);
  await minute.click({ force: true });
  await expect(chart.byId('resolution-hint')).toContainText('5 years of 1-minute candles would be some');
  await expect(page).toHaveURL(/resolution=D/);
  expect(seen).toEqual([]);
});

test('H7 five quick changes end with the last one', async ({ page, server }) => {
  const chart = await new ChartPage(page).open();
  for (const range of ['1D', '1W', '3M', '5Y', '6M']) await chart.byId(`range-${range}`).click();
  const expected = await answer(server, 'range=6M&resolution=D');
  await chart.settled(expected.count);
  expect((await chart.bars()).map((bar) => bar.close)).toEqual(expected.candles.close);
  await expect(page).toHaveURL(/range=6M/);
  // And it stays the last one when late answers have come in.
  await page.waitForTimeout(300);
  await expect(chart.chart).toHaveAttribute('data-candles', String(expected.count));
});

test('H8 back and forward restore view and title', async ({ page, server }) => {
  const chart = await new ChartPage(page).open();
  await chart.byId('range-1M').click();
  await chart.settled((await answer(server, 'range=1M')).count);
  await chart.byId('ticker-input').pressSequentially('msft');
  await chart.byId('ticker-input').press('Enter');
  await expect(page).toHaveTitle('MSFT · 1M · daily – ohlcache');
  await chart.settled();
  await page.goBack();
  await expect(page).toHaveTitle('AAPL · 1M · daily – ohlcache');
  await page.goBack();
  await expect(page).toHaveTitle('AAPL · 1Y · daily – ohlcache');
  await chart.settled((await answer(server, 'range=1Y')).count);
  await expect(chart.byId('range-1Y')).toHaveAttribute('aria-pressed', 'true');
  await page.goForward();
  await page.goForward();
  await expect(page).toHaveTitle('MSFT · 1M · daily – ohlcache');
  await expect(chart.byId('ticker')).toHaveText('MSFT');
});

test('H10 two charts at once, in step', async ({ page, server }) => {
  const left = await new ChartPage(page).open('/?ticker=AAPL&range=6M&resolution=D');
  await left.byId('compare').click();
  await left.byId('ticker-input').pressSequentially('ms');
  await left.byId('suggestion-MSFT').click();
  await expect(page).toHaveURL(/ticker=AAPL,MSFT&/);
  const right = left.at(1);
  await right.settled((await answer(server, 'range=6M', 'MSFT')).count);
  await left.settled((await answer(server, 'range=6M', 'AAPL')).count);
  await left.pointAt(60);
  const date = await left.byId('legend-date').nth(0).textContent();
  await expect(left.byId('legend-date').nth(1)).toHaveText(date ?? '');
  const msft = await answer(server, 'range=6M', 'MSFT');
  await expect(left.byId('legend-close').nth(1)).toHaveText(String(msft.candles.close[60]));
  await left.chart.focus();
  await page.keyboard.press('+');
  await expect(left.chart).toHaveAttribute('data-animating', 'false');
  await expect.poll(async () => (await right.width()).toFixed(1)).toBe((await left.width()).toFixed(1));
  await left.byId('remove-AAPL').click();
  await expect(page).toHaveURL(/ticker=MSFT&/);
  await expect(page.getByTestId('chart')).toHaveCount(1);
});

test('H10 a grid of four', async ({ page }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL,MSFT,IBM,ZEN&range=3M&resolution=D');
  for (const index of [0, 1, 2, 3]) await chart.at(index).settled();
  await expect(page).toHaveTitle('AAPL, MSFT, IBM, ZEN · 3M · daily – ohlcache');
  await chart.still();
  await expect(page).toHaveScreenshot('grid.png');
});

test('suggestions by ticker and by name, recent tickers, keys', async ({ page }) => {
  const chart = await new ChartPage(page).open();
  await page.keyboard.press('/');
  await expect(chart.byId('ticker-input')).toBeFocused();
  await page.keyboard.type('micro');
  await expect(chart.byId('suggestion-MSFT')).toContainText('Microsoft');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(chart.byId('ticker')).toHaveText('MSFT');
  await chart.byId('ticker-input').focus();
  await expect(chart.byId('suggestions').getByRole('option').first()).toContainText('MSFT');
});

test('a company’s name and Enter opens its ticker; what cannot be a ticker is told so', async ({ page }) => {
  const chart = await new ChartPage(page).open('/?ticker=MSFT&range=1M&resolution=D');
  await chart.byId('ticker-input').pressSequentially('apple');
  await chart.byId('suggestion-AAPL').waitFor();
  await chart.byId('ticker-input').press('Enter');
  await expect(chart.byId('ticker')).toHaveText('AAPL');
  await chart.settled();
  await chart.byId('ticker-input').pressSequentially('a b');
  await chart.byId('ticker-input').press('Enter');
  await expect(chart.byId('trouble')).toContainText("'A B' is not a ticker");
  await expect(page).toHaveTitle('A B · 1M · daily – ohlcache');
});

test('dates that are none are refused by the API, in its words, and refuse no resolution', async ({ page }) => {
  const chart = new ChartPage(page);
  await page.goto('/?ticker=AAPL&start_date=2014-13-45&end_date=2014-12-12&resolution=D');
  await expect(chart.byId('trouble')).toContainText("start_date '2014-13-45' is not a date");
  await expect(chart.byId('controls').locator('[aria-disabled=true]')).toHaveCount(0);
});

test('every shortcut does what the help sheet says', async ({ page }) => {
  const chart = await new ChartPage(page).open();
  await page.keyboard.press('?');
  await expect(chart.byId('help-sheet')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(chart.byId('help-sheet')).toHaveCount(0);
  await page.keyboard.press('5');
  await expect(page).toHaveURL(/range=6M/);
  await page.keyboard.press('[');
  await expect(page).toHaveURL(/resolution=60/);
  await page.keyboard.press(']');
  await expect(page).toHaveURL(/resolution=D/);
  await page.keyboard.press('a');
  await expect(page).toHaveURL(/adjust=all/);
  await page.keyboard.press('i');
  await expect(chart.byId('inside')).toBeVisible();
  await page.keyboard.press('t');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.keyboard.press('c');
  await expect(chart.byId('ticker-input')).toHaveAttribute('placeholder', 'Compare with…');
});
