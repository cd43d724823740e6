/** What the tests stand on: three engines, a server of every worker's own, and a network that can be made worse. */

import { test as base } from '@playwright/test';

import { NetProxy } from './netProxy.ts';
import { type FakeVendor, type OhlcacheServer, sampleServer, VendorStack } from './servers.ts';
import { webkitGtkBrowser } from './webkitGtk.ts';

export interface EngineOptions {
  /** Whether WebKit is the system's WebKitGTK. */
  systemWebKit: boolean;
}

interface TestFixtures {
  network: NetProxy;
  server: OhlcacheServer;
  vendor: FakeVendor;
  /** Fails the test when the page logged an error that the test did not expect. */
  consoleErrors: string[];
}

interface WorkerFixtures {
  sample: OhlcacheServer;
  stack: VendorStack;
}

export const test = base.extend<TestFixtures, EngineOptions & WorkerFixtures>({
  systemWebKit: [false, { scope: 'worker', option: true }],

  browser: [
    async ({ playwright, browserName, systemWebKit, launchOptions, channel }, use) => {
      const browser = systemWebKit
        ? await webkitGtkBrowser(playwright.webkit)
        : await playwright[browserName].launch({ ...launchOptions, ...(channel === undefined ? {} : { channel }) });
      await use(browser);
      await browser.close();
    },
    { scope: 'worker', timeout: 180_000 },
  ],

  sample: [
    async ({}, use) => {
      const server = await sampleServer();
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 180_000 },
  ],

  stack: [
    async ({}, use) => {
      const stack = await new VendorStack().start();
      await use(stack);
      await stack.stop();
    },
    { scope: 'worker', timeout: 180_000 },
  ],

  server: async ({ sample }, use) => {
    await use(sample);
  },

  vendor: async ({ stack }, use) => {
    await stack.vendor.reset();
    await use(stack.vendor);
    await stack.vendor.reset();
  },

  network: async ({ server }, use) => {
    const proxy = await new NetProxy(server.port).start();
    await use(proxy);
    await proxy.stop();
  },

  baseURL: async ({ network }, use) => {
    await use(network.url);
  },

  consoleErrors: async ({ page }, use) => {
    const errors: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('pageerror', (error) => errors.push(error.message));
    await use(errors);
  },

  page: async ({ page, baseURL, viewport, systemWebKit }, use) => {
    if (systemWebKit) {
      // A context that was connected to knows neither base address nor viewport.
      const goto = page.goto.bind(page);
      page.goto = async (address, options) => await goto(new URL(address, baseURL).href, options);
      if (viewport !== null) await page.setViewportSize(viewport);
    }
    await use(page);
  },
});

/** Against the server whose vendor is the fault-injecting fake. */
export const vendorTest = test.extend({
  server: async ({ stack }, use) => {
    await use(stack.server);
  },
});

export { expect } from '@playwright/test';
