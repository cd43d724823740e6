/** With the pointer on the chart: whatever a reader does, on every range and resolution, the chart stands and reads. */

import { ChartPage } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';
import { GESTURES, pointAtChart, problemAfter } from './support/gestures.ts';

const RANGES = ['1D', '1W', '1M', '3M', '6M', '1Y', '5Y', 'YTD'];
const RESOLUTIONS = ['1', '5', '15', '30', '60', 'D'];

test('every gesture on every range and resolution leaves a chart that reads the candle under the pointer', async ({
  page,
  consoleErrors,
}) => {
  // WebKitGTK takes a tenth of a second for each event, on a busy machine more.
  test.setTimeout(480_000);
  const chart = new ChartPage(page);
  const problems: string[] = [];
  let pairs = 0;
  await chart.open('/?ticker=AAPL&range=1W&resolution=1');
  let at = await pointAtChart(page);
  for (const resolution of RESOLUTIONS) {
    for (const [index, range] of RANGES.entries()) {
      if ((await chart.byId(`range-${range}`).getAttribute('aria-disabled')) === 'true') continue;
      pairs += 1;
      await page.keyboard.press(String(index + 1));
      let problem = await problemAfter(page, 'range key');
      for (const [name, gesture] of Object.entries(GESTURES)) {
        if (problem !== null) break;
        await gesture(page, at);
        problem = await problemAfter(page, name);
      }
      if (problem === null && consoleErrors.length === 0) continue;
      problems.push(`${range} × ${resolution}: ${[problem, ...consoleErrors].join('; ')}`);
      consoleErrors.length = 0;
      await chart.open(`/?ticker=AAPL&range=1D&resolution=${resolution}`);
      at = await pointAtChart(page);
    }
    await page.keyboard.press('1');
    await page.keyboard.press(']');
  }
  expect(problems).toEqual([]);
  expect(pairs).toBe(47);
});

test('whatever changes under a resting pointer, the chart stands and reads', async ({ page, consoleErrors }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=3M&resolution=1');
  await pointAtChart(page);
  const problems: string[] = [];
  const check = async (what: string): Promise<void> => {
    const problem = await problemAfter(page, what);
    if (problem !== null) problems.push(problem);
  };
  for (const key of ['t', 'r', 'a', 'i', 'i', '[', ']', ']']) {
    await page.keyboard.press(key);
    await check(`key ${key}`);
  }
  await page.setViewportSize({ width: 900, height: 700 });
  await pointAtChart(page);
  await check('narrower');
  await page.setViewportSize({ width: 1280, height: 800 });
  await check('wider');
  for (const ticker of ['MSFT', 'ZEN', 'AAPL']) {
    await page.keyboard.press('/');
    await page.keyboard.type(ticker);
    await page.keyboard.press('Enter');
    await check(`ticker ${ticker}`);
  }
  // Charts of different lengths: one is moved, the other follows.
  await page.keyboard.press('c');
  await page.keyboard.type('ZEN');
  await page.keyboard.press('Enter');
  await chart.at(1).settled();
  const at = await pointAtChart(page);
  for (const [name, gesture] of Object.entries(GESTURES)) {
    if (name === 'back') await page.keyboard.press('5');
    await gesture(page, at);
    await check(`compared, ${name}`);
  }
  // The other chart came back with candles of its own, and reads the same session.
  const dates = page.getByTestId('legend-date');
  await expect(dates.nth(1)).toHaveText((await dates.first().textContent()) ?? '');
  await expect(page.getByTestId('legend').nth(1)).toHaveAttribute('data-hovering', 'true');
  expect([...problems, ...consoleErrors]).toEqual([]);
});

test('a chart without a candle where another one is pointed at leaves the other its crosshair', async ({ page }) => {
  // ZEN was listed on 2014-05-15: a pan by a quarter of the year puts its pointer's place before that.
  const chart = await new ChartPage(page).open('/?ticker=AAPL,ZEN&range=1Y&resolution=D');
  await chart.at(1).settled();
  await chart.chart.focus();
  await pointAtChart(page);
  await expect(page.getByTestId('legend').nth(1)).toHaveAttribute('data-hovering', 'true');
  await page.keyboard.press('Shift+ArrowLeft');
  await expect(page.getByTestId('legend').nth(1)).toHaveAttribute('data-hovering', 'false');
  expect(await problemAfter(page, 'pan')).toBeNull();
});
