/** Mouse, wheel and fingers on the chart itself, and what the chart shows under the pointer afterwards. */

import type { Page } from '@playwright/test';

import type { ChartElement } from '../../src/features/chart/Chart.tsx';

/** Under load the library draws 100,000 candles in seconds; nothing is proven by giving up sooner. */
const WITHIN_MS = 20_000;

interface Point {
  x: number;
  y: number;
}

/** What a reader may do with a chart; each ends with the pointer on it. */
export const GESTURES = {
  wheel: async (page: Page) => {
    await page.mouse.wheel(0, 240);
    await page.mouse.wheel(0, 240);
  },
  drag: async (page: Page, { x, y }: Point) => {
    await page.mouse.down();
    await page.mouse.move(x + 320, y, { steps: 2 });
    await page.mouse.up();
    await page.mouse.move(x, y);
  },
  pinch,
  'leave and return': async (page: Page, { x, y }: Point) => {
    await page.mouse.move(2, 2);
    await page.mouse.move(x, y);
  },
  back: async (page: Page) => {
    await page.goBack();
  },
  forward: async (page: Page) => {
    await page.goForward();
  },
} satisfies Record<string, (page: Page, at: Point) => Promise<void>>;

/**
 * Two fingers apart. Only Chromium can be made to touch a page that has a mouse as well; elsewhere it is what a trackpad's
 * pinch is to a page in every engine: the wheel with Control.
 */
async function pinch(page: Page, { x, y }: Point): Promise<void> {
  if (page.context().browser()?.browserType().name() !== 'chromium') {
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, 120);
    await page.keyboard.up('Control');
    return;
  }
  const cdp = await page.context().newCDPSession(page);
  const touch = async (type: 'touchStart' | 'touchMove' | 'touchEnd', apart?: number): Promise<void> => {
    const touchPoints = apart === undefined ? [] : [x - apart, x + apart].map((at, id) => ({ x: at, y, id }));
    await cdp.send('Input.dispatchTouchEvent', { type, touchPoints });
  };
  await touch('touchStart', 120);
  for (const apart of [100, 70, 40]) await touch('touchMove', apart);
  await touch('touchEnd');
  await cdp.detach();
  await page.mouse.move(x + 1, y);
  await page.mouse.move(x, y);
}

/** What is wrong with the chart under the pointer, in a few words; null once it stands, is drawn and reads the candle there. */
export async function problemAfter(page: Page, gesture: string, x = pointerX(page)): Promise<string | null> {
  const problem = await page.evaluate(watchChart, { x, withinMs: WITHIN_MS });
  return problem === null ? null : `${gesture}: ${problem}`;
}

const pointers = new WeakMap<Page, number>();

function pointerX(page: Page): number {
  return pointers.get(page) ?? 0;
}

/** Put the pointer on the chart, in its middle: where the candle is when there is only one. */
export async function pointAtChart(page: Page): Promise<Point> {
  const box = await page.getByTestId('chart').first().locator('canvas').first().boundingBox();
  if (box === null) throw new Error('the chart has no box');
  const at = { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height * 0.45) };
  pointers.set(page, at.x);
  await page.mouse.move(at.x, at.y);
  return at;
}

/** Runs in the page: one message instead of one for each look. */
async function watchChart({ x, withinMs }: { x: number; withinMs: number }): Promise<string | null> {
  const until = performance.now() + withinMs;
  let problem = look();
  while (problem !== null && !isFinal(problem) && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 4));
    problem = look();
  }
  return problem;

  /** No waiting brings a page back. */
  function isFinal(found: string): boolean {
    return found === 'a blank page' || found === 'an error panel';
  }

  function look(): string | null {
    if (document.querySelector('[data-testid=page]') === null) return 'a blank page';
    if (document.querySelector('[role=alert]') !== null) return 'an error panel';
    const element = document.querySelector<ChartElement>('[data-testid=chart]');
    if (element === null) return 'no chart';
    if (document.querySelector('article[data-loading=true], [data-testid=older-loading]') !== null) return 'still loading';
    if (element.dataset['animating'] === 'true') return 'still moving';
    const { candleChart } = element;
    if (candleChart === undefined) return 'no candles';
    const { bars } = candleChart;
    const canvas = element.querySelector('canvas');
    if (canvas === null) return 'no canvas';
    const logical = candleChart.api.timeScale().coordinateToLogical(x - canvas.getBoundingClientRect().left);
    if (logical === null) return 'nothing in view';
    const under = Math.round(logical);
    const hovered = candleChart.hovered.get();
    const legend = document.querySelector<HTMLElement>('[data-testid=legend]')?.dataset['hovering'];
    if (!painted(canvas)) return 'an empty canvas';
    // A chart of one candle has room on both sides of it.
    if (under < 0 || under >= bars.length) return legend === 'false' ? null : 'reads a candle where there is none';
    if (hovered === null) return 'no candle under the pointer';
    // Half a pixel may lie between two candles, in a dense chart between two dozen.
    const range = candleChart.api.timeScale().getVisibleLogicalRange();
    const aPixel = range === null ? 1 : 1 + (2 * (range.to - range.from)) / element.clientWidth;
    const off = bars.findIndex((bar) => bar.time === hovered.time) - under;
    if (Math.abs(off) > aPixel) return `reads the candle ${off} from the pointer`;
    return legend === 'true' ? null : 'a legend that does not follow';
  }

  /** Candles and volume are the only things on the canvas that have a colour. */
  function painted(canvas: HTMLCanvasElement): boolean {
    const drawn = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let coloured = 0;
    for (let at = 0; at < drawn.length; at += 4) {
      const [red = 0, green = 0, blue = 0] = [drawn[at], drawn[at + 1], drawn[at + 2]];
      if (Math.max(red, green, blue) - Math.min(red, green, blue) > 40) coloured += 1;
      if (coloured > 200) return true;
    }
    return false;
  }
}
