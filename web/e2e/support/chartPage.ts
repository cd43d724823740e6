/** The page in the words of its tests. */

import fs from 'node:fs';

import { expect, type Locator, type Page } from '@playwright/test';

import type { OhlcBody } from '../../src/api/ohlc.ts';
import type { OhlcacheServer } from './servers.ts';

const AXE = fs.readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const STILL = fs.readFileSync(new URL('./still.css', import.meta.url), 'utf8');
const WCAG_AA = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
// WebKitGTK's inspector socket drops messages above 128 KiB.
const MESSAGE_CHARACTERS_MAX = 100_000;

export interface InspectedChart {
  api: {
    timeScale(): {
      logicalToCoordinate(index: number): number | null;
      getVisibleLogicalRange(): { from: number; to: number } | null;
    };
  };
  bars: { time: number; open: number; high: number; low: number; close: number; volume: number }[];
}

export class ChartPage {
  readonly chart: Locator;

  constructor(
    readonly page: Page,
    readonly index = 0,
  ) {
    this.chart = page.getByTestId('chart').nth(index);
  }

  at(index: number): ChartPage {
    return new ChartPage(this.page, index);
  }

  byId(id: string): Locator {
    return this.page.getByTestId(id);
  }

  async open(address = '/?ticker=AAPL&range=1Y&resolution=D&adjust=splits'): Promise<this> {
    await this.page.goto(address);
    await this.settled();
    return this;
  }

  /** Candles on screen, nothing on its way, nothing moving, the typeface there. */
  async settled(candles?: number): Promise<void> {
    await expect(this.chart).toHaveAttribute('data-animating', 'false');
    if (candles === undefined) await expect(this.chart).toHaveAttribute('data-candles', /^[1-9]/);
    else await expect(this.chart).toHaveAttribute('data-candles', String(candles));
    await expect(this.page.locator('article[data-loading=true]')).toHaveCount(0);
    await this.page.evaluate(async () => {
      await document.fonts.ready;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    });
  }

  /** For a picture: what differs from run to run keeps its place and is not shown. */
  async still(): Promise<void> {
    await this.page.addStyleTag({ content: STILL });
    await this.page.mouse.move(0, 0);
    await this.settled();
  }

  async range(): Promise<{ from: number; to: number }> {
    return await this.chart.evaluate((element) => {
      const { candleChart } = element as unknown as { candleChart: InspectedChart };
      return candleChart.api.timeScale().getVisibleLogicalRange() ?? { from: NaN, to: NaN };
    });
  }

  async width(): Promise<number> {
    const { from, to } = await this.range();
    return to - from;
  }

  async bars(): Promise<InspectedChart['bars']> {
    return await this.chart.evaluate(
      (element) => (element as unknown as { candleChart: InspectedChart }).candleChart.bars,
    );
  }

  /** Put the mouse on the candle at `index`. */
  async pointAt(index: number): Promise<void> {
    const x = await this.chart.evaluate((element, at) => {
      const { candleChart } = element as unknown as { candleChart: InspectedChart };
      return candleChart.api.timeScale().logicalToCoordinate(at);
    }, index);
    const box = await this.box();
    await this.page.mouse.move(box.x + Number(x) + 4, box.y + box.height / 2);
  }

  async box(): Promise<{ x: number; y: number; width: number; height: number }> {
    const box = await this.chart.boundingBox();
    if (box === null) throw new Error('the chart has no box');
    return box;
  }

  async axe(): Promise<string[]> {
    for (let start = 0; start < AXE.length; start += MESSAGE_CHARACTERS_MAX) {
      await this.page.evaluate(
        (part) => {
          const store = window as unknown as { axeParts?: string };
          store.axeParts = (store.axeParts ?? '') + part;
        },
        AXE.slice(start, start + MESSAGE_CHARACTERS_MAX),
      );
    }
    await this.page.evaluate(() => {
      const store = window as unknown as { axeParts?: string };
      // The page's policy forbids inline scripts, so the source runs through the inspector.
      (0, eval)(store.axeParts ?? '');
      delete store.axeParts;
    });
    return await this.page.evaluate(async (tags) => {
      const { axe } = window as unknown as { axe: typeof import('axe-core') };
      const { violations } = await axe.run(document, { runOnly: { type: 'tag', values: tags } });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
    }, WCAG_AA);
  }

  /** Let the page believe that its tab is hidden, or shown again. */
  async setHidden(hidden: boolean): Promise<void> {
    await this.page.evaluate((is) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (is ? 'hidden' : 'visible') });
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => is });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  }
}

export async function answer(server: OhlcacheServer, query: string, ticker = 'AAPL'): Promise<OhlcBody> {
  return await server.json<OhlcBody>(`/api/v2/tickers/${ticker}/ohlc?${query}&format=columns`);
}

/** Requests for candles that the page makes from now on. */
export function watchOhlc(page: Page): URL[] {
  const seen: URL[] = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.pathname.endsWith('/ohlc')) seen.push(url);
  });
  return seen;
}
