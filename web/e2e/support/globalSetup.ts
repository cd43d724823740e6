/** Before any test: the page is built, and every promised data-testid is on it. Names all that are missing. */

import { existsSync } from 'node:fs';

import type { FullConfig } from '@playwright/test';
import * as playwright from '@playwright/test';

import type { EngineOptions } from './engine.ts';
import { sampleServer } from './servers.ts';
import { PROMISED_TESTIDS } from './testids.ts';
import { webkitGtkBrowser } from './webkitGtk.ts';

export default async function globalSetup(config: FullConfig<EngineOptions>): Promise<void> {
  if (!existsSync(new URL('../../../src/ohlcache/http/static/index.html', import.meta.url))) {
    throw new Error('The page is not built: make web-build');
  }
  const project = config.projects[0];
  if (project === undefined) return;
  const { browserName = 'chromium', launchOptions = {}, channel, systemWebKit } = project.use as EngineOptions & {
    browserName?: 'chromium' | 'firefox' | 'webkit';
    launchOptions?: playwright.LaunchOptions;
    channel?: string;
  };
  const server = await sampleServer();
  const browser = systemWebKit
    ? await webkitGtkBrowser(playwright.webkit)
    : await playwright[browserName].launch({ ...launchOptions, ...(channel === undefined ? {} : { channel }) });
  try {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${server.url}/?ticker=AAPL,MSFT&range=1M`);
    await page.getByTestId('chart').nth(1).waitFor();
    await page.getByTestId('inside-toggle').click();
    await page.getByTestId('coverage').waitFor();
    const present = await page
      .locator('[data-testid]')
      .evaluateAll((elements) => elements.map((element) => element.getAttribute('data-testid')));
    const missing = PROMISED_TESTIDS.filter((id) => !present.includes(id));
    if (missing.length > 0) throw new Error(`The page lacks these data-testids: ${missing.join(', ')}`);
  } finally {
    await browser.close();
    await server.stop();
  }
}
