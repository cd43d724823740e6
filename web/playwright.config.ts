import { existsSync } from 'node:fs';

import {
  type BrowserType,
  chromium,
  defineConfig,
  firefox,
  type PlaywrightTestOptions,
  type PlaywrightWorkerOptions,
  type Project,
  webkit,
} from '@playwright/test';

import type { EngineOptions } from './e2e/support/engine.ts';

// Playwright's own browsers where they are installed, else Debian's. Pixels differ between the two, so do baselines.
function bundled(browser: BrowserType): boolean {
  try {
    return existsSync(browser.executablePath());
  } catch {
    return false;
  }
}

const SYSTEM_CHROMIUM = '/usr/bin/chromium';
const SYSTEM_FIREFOX = '/usr/bin/firefox-esr';
const QUIET_CHROMIUM = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--font-render-hinting=none',
  // Pages of parallel workers are never in front; their timers must run all the same.
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
];

type Engine = Project<PlaywrightTestOptions, PlaywrightWorkerOptions & EngineOptions>;

const engines: Engine[] = [
  bundled(chromium)
    ? { name: 'chromium', use: { browserName: 'chromium', launchOptions: { args: QUIET_CHROMIUM } } }
    : {
        name: 'chromium-system',
        use: {
          browserName: 'chromium',
          launchOptions: { executablePath: SYSTEM_CHROMIUM, args: ['--no-sandbox', ...QUIET_CHROMIUM] },
        },
      },
  bundled(firefox)
    ? { name: 'firefox', use: { browserName: 'firefox' } }
    : {
        name: 'firefox-system',
        use: {
          browserName: 'firefox',
          channel: 'moz-firefox',
          launchOptions: { executablePath: SYSTEM_FIREFOX },
        },
      },
  bundled(webkit)
    ? { name: 'webkit', use: { browserName: 'webkit' } }
    : { name: 'webkit-system', use: { browserName: 'webkit', systemWebKit: true } },
];

const shot = { maxDiffPixelRatio: 0.001, animations: 'disabled', caret: 'hide' } as const;

// Time is measured in a run of its own, when nothing else keeps the machine busy.
const alone = process.env['ALONE'] === '1';
// The documentation's pictures are taken on request only.
const pictures = process.env['PICTURES'] === '1';

export default defineConfig<PlaywrightTestOptions, PlaywrightWorkerOptions & EngineOptions>({
  testDir: 'e2e',
  outputDir: 'test-results',
  globalSetup: './e2e/support/globalSetup.ts',
  ...(alone || pictures
    ? { testMatch: alone ? '**/alone.spec.ts' : '**/pictures.spec.ts' }
    : { testIgnore: ['**/alone.spec.ts', '**/pictures.spec.ts'] }),
  workers: alone ? 1 : 2,
  fullyParallel: false,
  retries: 0,
  timeout: 120_000,
  reporter: [['list']],
  snapshotPathTemplate: '{testDir}/baselines/{projectName}/{arg}{ext}',
  use: { locale: 'en-US', timezoneId: 'UTC', colorScheme: 'light', trace: 'off', viewport: { width: 1280, height: 800 } },
  projects: engines.map((engine) => ({
    ...engine,
    // A project's `expect` replaces the file's: both are here. Nothing is proven by waiting less on a busy machine.
    expect: {
      timeout: 30_000,
      toHaveScreenshot: { ...shot, scale: engine.use?.systemWebKit === true ? 'device' : 'css' },
    },
  })),
});
