/** Every width, every theme, full screen, rotation; pictures and accessibility. */

import { ChartPage } from './support/chartPage.ts';
import { expect, test } from './support/engine.ts';

const SIZES = [
  [1920, 1080],
  [1280, 800],
  [768, 1024],
  [375, 667],
] as const;

for (const [width, height] of SIZES) {
  test(`${width === 375 ? 'H11 H12' : 'H11'} at ${width} × ${height} everything fits`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    const chart = await new ChartPage(page).open();
    const overflow = await page.evaluate(() => ({
      page: document.documentElement.scrollWidth - innerWidth,
      small: [...document.querySelectorAll('body *')]
        .filter((element) => element.textContent !== '' && parseFloat(getComputedStyle(element).fontSize) < 12)
        .filter((element) => element.getClientRects().length > 0)
        .map((element) => element.tagName + element.className),
    }));
    expect(overflow.page).toBeLessThanOrEqual(0);
    const sizes = new Set(overflow.small);
    // `font-size: 0` hides a word beside its icon.
    expect([...sizes].filter((name) => !name.includes('badge-grade'))).toEqual([]);
    const box = await chart.box();
    expect(box.width).toBeGreaterThan(width * 0.9);
    expect(box.height).toBeGreaterThan(height * 0.35);
    await chart.still();
    await expect(page).toHaveScreenshot(`page-${width}.png`);
  });
}

test('H11 the window grows and shrinks under an open chart', async ({ page }) => {
  const chart = await new ChartPage(page).open();
  const { from, to } = await chart.range();
  for (const [width, height] of [...SIZES, [1280, 800] as const]) {
    await page.setViewportSize({ width, height });
    await expect
      .poll(async () => {
        const canvas = await chart.chart.locator('canvas').first().boundingBox();
        return (canvas?.width ?? 0) > width * 0.6 && (canvas?.width ?? 0) < width;
      })
      .toBe(true);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  }
  const after = await chart.range();
  expect(after.from).toBeCloseTo(from, 0);
  expect(after.to).toBeCloseTo(to, 0);
});

test('H12 at 375 × 667 everything can be touched', async ({ page }) => {
  await page.setViewportSize({ width: 375, height: 667 });
  const chart = await new ChartPage(page).open();
  const small = await page
    .locator('.toolbar button, .top button')
    .evaluateAll((buttons) =>
      buttons
        .map((button) => ({ id: button.getAttribute('data-testid'), box: button.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.height < 44 || box.width < 24 || box.right > 375))
        .map(({ id, box }) => `${id} ${box.width}×${box.height}`),
    );
  expect(small).toEqual([]);
  await chart.byId('range-3M').click();
  await expect(page).toHaveURL(/range=3M/);
  await chart.byId('inside-toggle').click();
  await expect(chart.byId('coverage')).toBeVisible();
});

test('H13 full screen and back', async ({ page }) => {
  const chart = await new ChartPage(page).open();
  const button = chart.byId('fullscreen');
  await button.click();
  await expect.poll(async () => await page.evaluate(() => document.fullscreenElement !== null)).toBe(true);
  await expect(button).toHaveAttribute('aria-pressed', 'true');
  await expect(chart.chart).toBeVisible();
  await button.click();
  await expect.poll(async () => await page.evaluate(() => document.fullscreenElement !== null)).toBe(false);
  await expect(button).toHaveAttribute('aria-pressed', 'false');
});

test('H13 where a browser cannot fill the screen there is no button that would do nothing', async ({ page, consoleErrors }) => {
  await page.addInitScript(() => {
    Object.defineProperty(Document.prototype, 'fullscreenEnabled', { get: () => undefined });
    Object.defineProperty(Element.prototype, 'requestFullscreen', { value: undefined });
  });
  const chart = await new ChartPage(page).open();
  await expect(chart.byId('fullscreen')).toHaveCount(0);
  await page.keyboard.press('f');
  await chart.settled();
  expect(consoleErrors).toEqual([]);
});

test('H14 rotation keeps the chart whole', async ({ page }) => {
  await page.setViewportSize({ width: 375, height: 667 });
  const chart = await new ChartPage(page).open();
  const { from, to } = await chart.range();
  await page.setViewportSize({ width: 667, height: 375 });
  await expect.poll(async () => (await chart.box()).width).toBeGreaterThan(560);
  await expect.poll(async () => (await chart.box()).height).toBeGreaterThan(150);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await expect.poll(async () => (await chart.range()).from).toBeCloseTo(from, 0);
  expect((await chart.range()).to).toBeCloseTo(to, 0);
  await page.setViewportSize({ width: 375, height: 667 });
  await expect.poll(async () => (await chart.box()).width).toBeLessThanOrEqual(375);
});

for (const theme of ['light', 'dark'] as const) {
  test(`WCAG AA in ${theme}: chart, panel, details, help, several charts`, async ({ page }) => {
    await page.addInitScript((chosen) => {
      localStorage.setItem('ohlcache.theme', chosen);
    }, theme);
    const chart = await new ChartPage(page).open();
    await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
    expect(await chart.axe()).toEqual([]);
    await chart.byId('inside-toggle').click();
    await chart.byId('coverage').waitFor();
    await chart.byId('tier').click();
    expect(await chart.axe()).toEqual([]);
    await page.keyboard.press('Escape');
    await chart.byId('help').click();
    await chart.byId('help-sheet').waitFor();
    expect(await chart.axe()).toEqual([]);
    await page.keyboard.press('Escape');
    await chart.open('/?ticker=AAPL,MSFT,IBM&range=1M&resolution=5');
    await chart.at(2).settled();
    await chart.byId('ticker-input').focus();
    await chart.byId('suggestions').waitFor();
    expect(await chart.axe()).toEqual([]);
  });
}

test('dark, with the panel open', async ({ page }) => {
  await page.addInitScript(() => {
    localStorage.setItem('ohlcache.theme', 'dark');
    localStorage.setItem('ohlcache.inside', 'open');
  });
  const chart = await new ChartPage(page).open();
  await expect(chart.byId('coverage-summary')).toHaveText(/252 final/);
  await chart.still();
  await expect(page).toHaveScreenshot('dark.png', {
    mask: ['inside-big', 'meter', 'inside-rows'].map((name) => page.locator(`.${name}`)),
  });
});
