/** Reading the chart: the legend, zoom, pan, older candles, the keyboard. */

import { answer, ChartPage, type InspectedChart, watchOhlc } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';

const PRICE = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const DAY = new Intl.DateTimeFormat('en-US', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});

test('H19 the legend shows exactly the candle under the pointer', async ({ page, server }) => {
  const chart = await new ChartPage(page).open();
  const { candles } = await answer(server, 'range=1Y&resolution=D&adjust=splits');
  for (const index of [3, 57, 108, 109, 200, 251]) {
    await chart.pointAt(index);
    await expect(chart.byId('legend-date')).toHaveText(DAY.format(new Date(String(candles.date[index]))));
    for (const field of ['open', 'high', 'low', 'close'] as const) {
      await expect(chart.byId(`legend-${field}`)).toHaveText(PRICE.format(Number(candles[field][index])));
      await expect(chart.byId(`legend-${field}`).locator('data')).toHaveAttribute('value', String(candles[field][index]));
    }
    await expect(chart.byId('legend-volume')).toHaveText(Number(candles.volume[index]).toLocaleString('en-US'));
    const change = Number(candles.close[index]) - Number(candles.close[index - 1]);
    await expect(chart.byId('legend-change')).toContainText(change.toFixed(2));
  }
  // One candle is 80 of a million pixels: the place where it is looked at is compared by itself.
  await chart.pointAt(109);
  const box = await chart.box();
  await expect(page).toHaveScreenshot('legend-and-candle.png', {
    clip: { x: box.x, y: box.y - 40, width: box.width / 2, height: box.height },
  });
});

test('H19 an intraday candle is told in New York time', async ({ page, server }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=1W&resolution=60&adjust=splits');
  const { candles } = await answer(server, 'range=1W&resolution=60');
  await chart.pointAt(0);
  expect(candles.date[0]).toBe('2014-12-24T14:30:00Z');
  await expect(chart.byId('legend-date')).toHaveText('Wed, Dec 24, 2014 09:30 New York');
});

test('H20 wheel zooms, drag pans, buttons and keys do both', async ({ page }) => {
  const chart = await new ChartPage(page).open();
  const box = await chart.box();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const whole = await chart.width();
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, -400);
  await expect.poll(async () => await chart.width()).toBeLessThan(whole * 0.95);

  // Counted from the newest candle: panning loads older ones.
  const shown = async (): Promise<number> => (await chart.bars()).length - (await chart.range()).from;
  const before = await shown();
  await page.mouse.down();
  await page.mouse.move(x + 150, y, { steps: 8 });
  await page.mouse.up();
  await expect.poll(shown).toBeGreaterThan(before);

  const still = async (): Promise<void> => {
    await expect(chart.chart).toHaveAttribute('data-animating', 'false');
  };
  await chart.byId('zoom-reset').click();
  await still();
  const all = await chart.width();
  await chart.byId('zoom-in').click();
  await still();
  expect(await chart.width()).toBeCloseTo(all * 0.6, 0);
  await chart.chart.focus();
  await page.keyboard.press('-');
  await still();
  expect(await chart.width()).toBeCloseTo(all, 0);
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  await still();
  const zoomed = await chart.range();
  await page.keyboard.press('Shift+ArrowLeft');
  await still();
  expect((await chart.range()).from).toBeLessThan(zoomed.from);
  await chart.settled();
  await expect(chart.byId('older-loading')).toHaveCount(0);
  await page.keyboard.press('0');
  await still();
  expect(await chart.width()).toBeGreaterThan((await chart.bars()).length);
});

test('H20 the arrow keys read candle by candle', async ({ page, server }) => {
  const chart = await new ChartPage(page).open();
  const { candles } = await answer(server, 'range=1Y');
  const day = (fromEnd: number): string => DAY.format(new Date(String(candles.date.at(fromEnd))));
  await chart.chart.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await expect(chart.byId('legend-date')).toHaveText(day(-2));
  await page.keyboard.press('ArrowRight');
  await expect(chart.byId('legend-date')).toHaveText(day(-1));
});

test('H18 an animation ends where it should, in its time', async ({ page }) => {
  const chart = await new ChartPage(page).open();
  const { from, to } = await chart.range();
  const took = await chart.chart.evaluate(async (element) => {
    const started = performance.now();
    document.querySelector<HTMLButtonElement>('[data-testid=zoom-in]')?.click();
    const moves = (): boolean => element.dataset['animating'] === 'true';
    if (!moves()) throw new Error('nothing moves');
    while (moves()) await new Promise((resolve) => setTimeout(resolve, 5));
    return performance.now() - started;
  });
  expect(took).toBeGreaterThanOrEqual(200);
  expect(took).toBeLessThan(1500);
  const after = await chart.range();
  const middle = (from + to) / 2;
  expect(after.to - after.from).toBeCloseTo((to - from) * 0.6, 1);
  expect((after.from + after.to) / 2).toBeCloseTo(middle, 1);
});

test('H18 less motion where less is asked for', async ({ page, systemWebKit }) => {
  if (!systemWebKit) await page.emulateMedia({ reducedMotion: 'reduce' });
  const told = await page.evaluate(() => matchMedia('(prefers-reduced-motion: reduce)').matches);
  if (!told) {
    // The system's Firefox and WebKit cannot be told what their desktop prefers: the question is answered in its place.
    await page.addInitScript(() => {
      const ask = matchMedia.bind(window);
      window.matchMedia = (query) => ask(query.includes('prefers-reduced-motion') ? 'all' : query);
    });
  }
  const chart = await new ChartPage(page).open();
  const before = await chart.width();
  // Four frames later a glide is under way; a step is where it leads.
  const after = await chart.chart.evaluate(async (element) => {
    document.querySelector<HTMLElement>('[data-testid=zoom-in]')?.click();
    for (let frame = 0; frame < 4; frame += 1) await new Promise(requestAnimationFrame);
    const { candleChart } = element as unknown as { candleChart: InspectedChart };
    const range = candleChart.api.timeScale().getVisibleLogicalRange();
    return range === null ? NaN : range.to - range.from;
  });
  expect(after).toBeCloseTo(before * 0.6, 0);
});

test('H20 panning left loads older candles', async ({ page, server }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=3M&resolution=D&adjust=splits');
  const base = await answer(server, 'range=3M');
  await chart.settled(base.count);
  const change = (await chart.byId('range-change').textContent()) ?? '';
  const seen = watchOhlc(page);
  await chart.chart.focus();
  await page.keyboard.press('Shift+ArrowLeft');
  await expect.poll(async () => Number(await chart.chart.getAttribute('data-candles'))).toBeGreaterThan(base.count);
  expect(seen[0]?.searchParams.get('end_date')).toBe('2014-09-29');
  await expect(chart.chart).toHaveAttribute('data-animating', 'false');
  const bars = await chart.bars();
  expect(bars.slice(-base.count).map((bar) => bar.close)).toEqual(base.candles.close);
  // Of three months it still is.
  await expect(chart.byId('range-change')).toHaveText(change);
  const times = bars.map((bar) => bar.time);
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
});

test('H20 panning ends where the ticker begins', async ({ page }) => {
  // Listed on 2014-05-15.
  const chart = await new ChartPage(page).open('/?ticker=ZEN&range=6M&resolution=D&adjust=splits');
  await chart.chart.focus();
  for (let times = 0; times < 4; times += 1) {
    await page.keyboard.press('PageUp');
    await expect(chart.chart).toHaveAttribute('data-animating', 'false');
    await chart.settled();
  }
  const bars = await chart.bars();
  expect(new Date(Number(bars[0]?.time) * 1000).toISOString().slice(0, 10)).toBe('2014-05-15');
});
