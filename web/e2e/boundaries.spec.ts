/** Where a failure of the page itself ends. The faults are planted from outside: none is known. */

import type { ChartElement } from '../src/features/chart/Chart.tsx';
import { ChartPage } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';

const TWO = '/?ticker=AAPL,MSFT&range=1M&resolution=D';

test('a chart whose own step throws is replaced by a panel; the other one stands', async ({ page }) => {
  const chart = await new ChartPage(page).open(TWO);
  await chart.at(1).settled();
  await chart.chart.evaluate((element) => {
    const api = (element as ChartElement).candleChart?.api;
    if (api === undefined) throw new Error('no chart');
    api.timeScale = () => {
      throw new Error('planted in a step');
    };
  });
  await chart.byId('tile-AAPL').getByTestId('zoom-in').click();
  const failed = chart.byId('tile-AAPL').getByTestId('trouble');
  await expect(failed).toContainText('This chart stopped');
  await expect(chart.byId('tile-MSFT').getByTestId('chart')).toBeVisible();
  expect(await chart.axe()).toEqual([]);
  await chart.byId('tile-AAPL').getByTestId('retry').click();
  await expect(failed).toHaveCount(0);
  await chart.at(0).settled();
  await chart.at(1).settled();
});

test('a chart that cannot follow another fails alone', async ({ page }) => {
  const chart = await new ChartPage(page).open(TWO);
  await chart.at(1).settled();
  await chart.at(1).chart.evaluate((element) => {
    const api = (element as ChartElement).candleChart?.api;
    if (api === undefined) throw new Error('no chart');
    api.setCrosshairPosition = () => {
      throw new Error('planted in a neighbour');
    };
  });
  await chart.pointAt(5);
  await expect(chart.byId('tile-MSFT').getByTestId('trouble')).toContainText('This chart stopped');
  await expect(chart.byId('tile-AAPL').getByTestId('legend')).toHaveAttribute('data-hovering', 'true');
});

test('a chart that the library can no longer draw is replaced by a panel, until another range is chosen', async ({ page }) => {
  const chart = await new ChartPage(page).open(TWO);
  await chart.at(1).settled();
  await chart.chart.evaluate((element) => {
    // In the library's own frame, where nothing of the page is on the stack.
    for (const canvas of element.querySelectorAll('canvas')) {
      Object.defineProperty(canvas.getContext('2d'), 'fillRect', {
        value: () => {
          throw new Error('planted in a frame');
        },
      });
    }
  });
  await page.setViewportSize({ width: 1200, height: 760 });
  await expect(chart.byId('tile-AAPL').getByTestId('trouble')).toContainText('This chart stopped');
  await expect(chart.byId('tile-MSFT').getByTestId('chart')).toBeVisible();
  await page.keyboard.press('4');
  await expect(chart.byId('tile-AAPL').getByTestId('trouble')).toHaveCount(0);
  await chart.at(0).settled();
});

test('a page that throws outside its charts says so and can be loaded anew', async ({ page }) => {
  const chart = await new ChartPage(page).open(TWO);
  await page.evaluate(() => {
    URLSearchParams.prototype.set = () => {
      throw new Error('planted in the page');
    };
    history.pushState(null, '', '/?ticker=IBM&range=1M&resolution=D');
    window.dispatchEvent(new PopStateEvent('popstate'));
  });
  await expect(chart.byId('page-failure')).toContainText('This page stopped');
  expect(await chart.axe()).toEqual([]);
  await chart.byId('reload').click();
  await chart.settled();
  await expect(chart.byId('ticker')).toHaveText('IBM');
});

test('the panel that throws leaves the charts', async ({ page }) => {
  const chart = await new ChartPage(page).open(TWO);
  await page.evaluate(() => {
    // Of all that is on the page only the panel's calendar makes a list of the year's months.
    const from = Array.from.bind(Array) as (source: ArrayLike<unknown>, ...more: unknown[]) => unknown[];
    Object.assign(Array, {
      from: (source: ArrayLike<unknown>, ...more: unknown[]) => {
        if (source.length === 12) throw new Error('planted in the calendar');
        return from(source, ...more);
      },
    });
  });
  await page.keyboard.press('i');
  await expect(chart.byId('inside-failure')).toContainText('This panel stopped');
  await expect(chart.byId('tile-AAPL').getByTestId('chart')).toBeVisible();
  await page.keyboard.press('i');
  await expect(chart.byId('inside-failure')).toHaveCount(0);
});
