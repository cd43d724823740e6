/** What is measured in time: alone, after a warm-up, and reported. */

import { ChartPage } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';

interface Pacing {
  frames: number;
  perSecond: number;
  longestGapMs: number;
}

async function pacing(chart: ChartPage): Promise<Pacing> {
  return await chart.page.evaluate(async () => {
    const press = (id: string): void => document.querySelector<HTMLButtonElement>(`[data-testid=${id}]`)?.click();
    const times: number[] = [];
    let on = true;
    const tick = (time: number): void => {
      times.push(time);
      if (on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    await new Promise((resolve) => setTimeout(resolve, 100));
    times.length = 0;
    for (const id of ['zoom-in', 'zoom-in', 'zoom-out', 'zoom-out', 'zoom-in', 'zoom-reset']) {
      press(id);
      await new Promise((resolve) => setTimeout(resolve, 320));
    }
    on = false;
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
    return { frames: times.length, perSecond: gaps.length / seconds, longestGapMs: Math.max(...gaps) };
  });
}

for (const [name, address] of [
  ['a year of days', '/?ticker=AAPL&range=1Y&resolution=D'],
  ['100,000 candles', '/?ticker=AAPL&range=5Y&resolution=5'],
] as const) {
  test(`H20 zooming ${name} is smooth`, async ({ page }) => {
    test.setTimeout(90_000);
    const chart = new ChartPage(page);
    await page.goto(address);
    await expect(chart.chart).toHaveAttribute('data-candles', /^[1-9]/, { timeout: 30_000 });
    await chart.settled();
    await pacing(chart);
    let best: Pacing | undefined;
    await expect(async () => {
      const now = await pacing(chart);
      if (best === undefined || now.perSecond > best.perSecond) best = now;
      expect(now.perSecond).toBeGreaterThanOrEqual(30);
      expect(now.longestGapMs).toBeLessThan(100);
    })
      .toPass({ timeout: 40_000 })
      .finally(() => {
        const text = `${best?.perSecond.toFixed(0)} frames/s, longest gap ${best?.longestGapMs.toFixed(0)} ms`;
        console.log(`      ${test.info().project.name}, ${name}: ${text}`);
      });
  });
}

test('H2 candles are on screen within 5 s, and within 1 s once the server is warm', async ({ page }) => {
  const chart = new ChartPage(page);
  const load = async (): Promise<number> => {
    await page.goto('/?ticker=AAPL&range=1Y&resolution=D');
    await expect(chart.chart).toHaveAttribute('data-candles', /^[1-9]/);
    return await page.evaluate(() => performance.now());
  };
  expect(await load()).toBeLessThan(5000);
  const warm = [await load(), await load(), await load()];
  console.log(`      ${test.info().project.name}, warm loads: ${warm.map(Math.round).join(', ')} ms`);
  expect(Math.min(...warm)).toBeLessThan(1000);
});
