/** The changes at the head of a chart, worked out from the sample's rows: AAPL closed at 112.52, then at 110.38. */

import { ChartPage } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';

const DAY = 'day -2.14 (-1.90%)';

const SPANS = [
  ['1D', null],
  ['1W', '1W -2.16 (-1.92%)'], // 112.54 on 2014-12-23
  ['YTD', 'YTD +30.23 (+37.72%)'], // 561.02 on 2013-12-31, before a split of 7 for 1
] as const;

test('the day counts from the close before, the same in every range and resolution', async ({ page }) => {
  const chart = new ChartPage(page);
  for (const [range, change] of SPANS) {
    for (const resolution of range === 'YTD' ? ['D', '5'] : ['D', '60', '1']) {
      await chart.open(`/?ticker=AAPL&range=${range}&resolution=${resolution}&adjust=splits`);
      await expect(chart.byId('change')).toHaveText(DAY);
      if (change === null) await expect(chart.byId('range-change')).toHaveCount(0);
      else await expect(chart.byId('range-change')).toHaveText(change);
      await expect(chart.byId('change-note')).toHaveCount(0);
    }
  }
});

test('the legend counts the oldest candle from the close before it', async ({ page }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=1D&resolution=D&adjust=splits');
  await expect(chart.byId('legend-change')).toHaveText('-2.14 (-1.90%)');
});

test('a ticker that was listed within the span counts since its listing', async ({ page }) => {
  // 11.40 was the first open, on 2014-05-15; 24.41 the close of 2014-12-30.
  const chart = await new ChartPage(page).open('/?ticker=ZEN&range=YTD&resolution=D&adjust=splits');
  await expect(chart.byId('change')).toHaveText('day -0.04 (-0.16%)');
  await expect(chart.byId('range-change')).toHaveText('since listing +12.97 (+113.77%)');
  await chart.open('/?ticker=ZEN&start_date=2014-05-15&end_date=2014-05-15&resolution=D&adjust=splits');
  await expect(chart.byId('change')).toHaveText('since listing +2.03 (+17.81%)');
});

test('no percentage is given across a split that prices are not adjusted for, and the page says why', async ({ page }) => {
  const chart = new ChartPage(page);
  const why = 'no percentage across the 7-for-1 split of June 9, 2014: prices are not adjusted';
  await chart.open('/?ticker=AAPL&range=YTD&resolution=D&adjust=none');
  await expect(chart.byId('change')).toHaveText(DAY);
  await expect(chart.byId('range-change')).toHaveCount(0);
  await expect(chart.byId('change-note')).toHaveText(why);

  const splitDay = '/?ticker=AAPL&start_date=2014-06-09&end_date=2014-06-09';
  await chart.open(`${splitDay}&resolution=D&adjust=none`);
  await expect(chart.byId('change')).toHaveCount(0);
  await expect(chart.byId('change-note')).toHaveText(why);
  await expect(chart.byId('legend-change')).toHaveText('7-for-1 split');

  await chart.open(`${splitDay}&resolution=5&adjust=none`);
  await expect(chart.byId('change')).toHaveCount(0);
  await expect(chart.byId('change-note')).toContainText('prices jump on June 9, 2014 as at a split');

  await chart.open(`${splitDay}&resolution=D&adjust=splits`);
  await expect(chart.byId('change')).toHaveText('day +1.48 (+1.60%)'); // 645.57 / 7 before
});
