/** What a person sees when something is not there: network, server, vendor, allowance, ticker, sessions. */

import { answer, ChartPage } from './support/chartPage.ts';
import { expect, test, vendorTest } from './support/engine.ts';
import { NetProxy } from './support/netProxy.ts';
import { EVENING_CLOCK, sampleServer, VendorStack } from './support/servers.ts';

const MONTH = '/?ticker=AAPL&range=1M&resolution=D';
const ERROR = (code: string, message: string, more: object = {}): string =>
  JSON.stringify({ error: { code, message, hint: 'Try again shortly.', ...more } });

test('H16 offline: the chart stays, a banner says so', async ({ page, network }) => {
  const chart = await new ChartPage(page).open();
  const before = await chart.bars();
  network.set({ offline: true });
  await chart.byId('range-5Y').click();
  await expect(chart.byId('connection')).toContainText('does not answer');
  await expect(chart.byId('retry-connection')).toBeVisible();
  expect((await chart.bars()).length).toBe(before.length);
  await expect(chart.chart).toBeVisible();
  expect(await chart.axe()).toEqual([]);
});

test('H17 back online: the page says so and shows what was asked for meanwhile', async ({ page, network, server }) => {
  const chart = await new ChartPage(page).open();
  network.set({ offline: true });
  await chart.byId('range-3M').click();
  await expect(chart.byId('connection')).toHaveAttribute('data-state', 'unreachable');
  await chart.byId('retry-connection').click();
  await expect(chart.byId('connection')).toHaveAttribute('data-state', 'unreachable');
  network.reset();
  await expect(chart.byId('connection')).toContainText('Back online');
  await chart.settled((await answer(server, 'range=3M')).count);
  await expect(chart.byId('connection')).toHaveAttribute('data-state', 'connected');
});

test('H17 the banner also goes by itself', async ({ page, network }) => {
  const chart = await new ChartPage(page).open();
  network.set({ offline: true });
  await chart.byId('refresh').click();
  await expect(chart.byId('connection')).toHaveAttribute('data-state', 'unreachable');
  network.reset();
  await expect(chart.byId('connection')).toHaveAttribute('data-state', 'restored');
});

test('H16 the first visit without a server: a word and a button, then candles', async ({ page }) => {
  const chart = new ChartPage(page);
  await page.route('**/api/**', async (route) => {
    await route.abort();
  });
  await page.goto(MONTH);
  await expect(chart.byId('trouble')).toContainText('The server does not answer');
  await expect(chart.byId('retry')).toBeVisible();
  await page.unroute('**/api/**');
  await chart.settled();
});

test('the server is killed under an open page and comes back', async ({ page }) => {
  const server = await sampleServer();
  const proxy = await new NetProxy(server.port).start();
  try {
    const chart = await new ChartPage(page).open(`${proxy.url}${MONTH}`);
    const before = (await chart.bars()).length;
    await server.kill();
    // Nobody touches the page: it notices by itself.
    await expect(chart.byId('connection')).toContainText('The server does not answer');
    await expect(chart.chart).toHaveAttribute('data-candles', String(before));
    await expect(chart.byId('trouble')).toHaveCount(0);
    await server.start();
    await expect(chart.byId('connection')).toContainText('Back online');
    await chart.settled(before);
    await expect(chart.byId('badge')).toHaveAttribute('data-tier', 'sample');
  } finally {
    await proxy.stop();
    await server.stop();
  }
});

test('H27a a 4xx is not retried', async ({ page }) => {
  let asked = 0;
  await page.route('**/ohlc?*', async (route) => {
    asked += 1;
    await route.fulfill({ status: 403, contentType: 'application/json', body: ERROR('not_entitled', 'Not in the plan.') });
  });
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await expect(chart.byId('trouble')).toContainText('Not in the vendor plan');
  await expect(chart.byId('retry')).toHaveCount(0);
  await page.waitForTimeout(2500);
  expect(asked).toBe(1);
});

test('H27b a 5xx is retried three times, with growing waits', async ({ page }) => {
  const times: number[] = [];
  await page.route('**/ohlc?*', async (route) => {
    times.push(Date.now());
    await route.fulfill({ status: 503, contentType: 'application/json', body: ERROR('vendor_unavailable', 'Down.') });
  });
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await expect(chart.byId('trouble')).toContainText('The data vendor is down');
  expect(times).toHaveLength(4);
  // Counted from the answer before: a busy machine makes a wait longer, never shorter.
  const waits = times.slice(1).map((time, index) => time - Number(times[index]));
  for (const [index, least] of [1000, 2000, 4000].entries()) expect(waits[index]).toBeGreaterThanOrEqual(least - 20);
  expect(Number(waits[2])).toBeGreaterThan(Number(waits[0]) * 1.4);
});

test('H27c a 429 is repeated after Retry-After, with a countdown', async ({ page, server }) => {
  const times: number[] = [];
  await page.route('**/ohlc?*', async (route) => {
    times.push(Date.now());
    if (times.length > 1) {
      await route.continue();
      return;
    }
    await route.fulfill({
      status: 429,
      contentType: 'application/json',
      headers: { 'Retry-After': '3' },
      body: ERROR('quota_exceeded', 'The vendor has asked to wait.'),
    });
  });
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await expect(chart.byId('countdown')).toContainText(/0:0[123]/);
  await chart.settled((await answer(server, 'range=1M')).count);
  expect(Number(times[1]) - Number(times[0])).toBeGreaterThanOrEqual(2900);
});

test('H27d a manual retry works', async ({ page, server }) => {
  let broken = true;
  await page.route('**/ohlc?*', async (route) => {
    if (broken) {
      await route.fulfill({ status: 500, contentType: 'application/json', body: ERROR('internal_error', 'Our bug.') });
    } else await route.continue();
  });
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await expect(chart.byId('trouble')).toBeVisible();
  expect(await chart.axe()).toEqual([]);
  broken = false;
  await chart.byId('retry').click();
  await chart.settled((await answer(server, 'range=1M')).count);
});

test('an unknown ticker says so and offers those that are known', async ({ page }) => {
  const chart = new ChartPage(page);
  await page.goto('/?ticker=NOPE&range=1M');
  await expect(chart.byId('trouble')).toContainText('NOPE is not known here');
  expect(await chart.axe()).toEqual([]);
  await chart.byId('known-tickers').getByRole('button', { name: /MSFT/ }).click();
  await chart.settled();
  await expect(page).toHaveURL(/ticker=MSFT/);
});

test('a span without a session is empty, not an error', async ({ page }) => {
  const chart = new ChartPage(page);
  await page.goto('/?ticker=AAPL&start_date=2014-07-05&end_date=2014-07-06&resolution=D');
  await expect(chart.byId('empty')).toContainText('a weekend or a holiday');
  await chart.byId('empty').getByRole('button').click();
  await chart.settled();
  await expect(page).toHaveURL(/range=1M/);
});

vendorTest('the allowance is used up: what is held is shown with the reason, and a retry brings the rest', async ({ page, vendor }) => {
  const chart = await new ChartPage(page).open('/?ticker=F&range=1M&resolution=D');
  await vendor.always({ '429': 4 });
  await chart.byId('range-5Y').click();
  await expect(chart.byId('stale-bar')).toContainText('These are the candles held');
  await expect(chart.byId('stale-bar')).toContainText(/allowance .*is used up/);
  await expect(chart.byId('completeness')).toHaveText('Stale');
  await expect(chart.chart).toBeVisible();
  expect(await chart.axe()).toEqual([]);
  await vendor.always({});
  await expect(async () => {
    await chart.byId('retry').click({ timeout: 2000 });
    await expect(chart.byId('stale-bar')).toHaveCount(0, { timeout: 10_000 });
  }).toPass({ timeout: 90_000 });
  await expect.poll(async () => (await chart.bars()).length).toBeGreaterThan(1000);
  await expect(chart.byId('tier')).toHaveText('Tiingo');
});

vendorTest('older candles that the allowance refuses come by themselves after the countdown', async ({ page, vendor }) => {
  const chart = await new ChartPage(page).open('/?ticker=IBM&range=3M&resolution=D');
  const before = (await chart.bars()).length;
  await vendor.always({ '429': 2 });
  await chart.chart.focus();
  await expect(async () => {
    await page.keyboard.press('PageUp');
    await expect(chart.byId('trouble-bar')).toContainText('Older candles are not on screen', { timeout: 1000 });
  }).toPass({ timeout: 90_000 });
  await expect(chart.byId('countdown')).toBeVisible();
  await vendor.always({});
  await expect(chart.byId('trouble-bar')).toHaveCount(0);
  await expect.poll(async () => (await chart.bars()).length).toBeGreaterThan(before);
});

test('H17 older candles that no server answered for come once it is back', async ({ page, network }) => {
  const chart = await new ChartPage(page).open('/?ticker=AAPL&range=3M&resolution=D');
  const before = (await chart.bars()).length;
  network.set({ offline: true });
  await chart.chart.focus();
  await page.keyboard.press('PageUp');
  await expect(chart.byId('connection')).toHaveAttribute('data-state', 'unreachable');
  network.reset();
  await expect(chart.byId('connection')).toHaveAttribute('data-state', /restored|connected/);
  await expect.poll(async () => (await chart.bars()).length).toBeGreaterThan(before);
});

test('in full screen, too, one learns that the server is gone', async ({ page, network }) => {
  const chart = await new ChartPage(page).open();
  await chart.byId('fullscreen').click();
  await expect(chart.byId('stage')).toHaveAttribute('data-full', 'true');
  network.set({ offline: true });
  await chart.byId('refresh').click();
  await expect(chart.byId('stage').getByTestId('retry-connection')).toBeVisible();
  network.reset();
  await chart.byId('retry-connection').click();
  await expect(chart.byId('stage').getByTestId('connection')).toContainText('Back online');
});

vendorTest('the vendor is down: what is held is shown with the reason, and a retry brings the rest', async ({ page, vendor }) => {
  const chart = await new ChartPage(page).open('/?ticker=BRK.B&range=1M&resolution=D');
  const before = (await chart.bars()).length;
  await vendor.always({ '5xx': 503 });
  await chart.byId('range-5Y').click();
  await expect(chart.byId('stale-bar')).toContainText('The vendor');
  expect((await chart.bars()).length).toBeGreaterThanOrEqual(before);
  await vendor.always({});
  await expect(async () => {
    await chart.byId('retry').click({ timeout: 2000 });
    await expect(chart.byId('stale-bar')).toHaveCount(0, { timeout: 10_000 });
  }).toPass({ timeout: 90_000 });
  await expect.poll(async () => (await chart.bars()).length).toBeGreaterThan(1000);
});

vendorTest('a person’s retry says no-cache; what the page asks for by itself does not', async ({ page, vendor, network }) => {
  const asked = (): (string | undefined)[] =>
    network.heads
      .filter((head) => /^GET \S+\/ohlc\?/.test(head))
      .map((head) => /^cache-control: *(.*)$/im.exec(head)?.[1]?.trim());
  await vendor.always({ '5xx': 503 });
  const chart = new ChartPage(page);
  await page.goto('/?ticker=SPY&range=1M&resolution=D');
  await expect(chart.byId('trouble')).toBeVisible();
  expect(asked()).toEqual([undefined, undefined, undefined, undefined]);
  await vendor.always({});
  await chart.byId('retry').click();
  await expect.poll(() => asked()[4]).toBe('no-cache');
  await expect(async () => {
    if (await chart.byId('retry').isVisible()) await chart.byId('retry').click({ timeout: 2000 });
    await expect(chart.chart).toHaveAttribute('data-candles', /^[1-9]/, { timeout: 10_000 });
  }).toPass({ timeout: 90_000 });
  const before = asked().length;
  await chart.byId('refresh').click();
  await expect.poll(() => asked().length).toBe(before + 1);
  expect(asked().at(-1)).toBeUndefined();
});

vendorTest('intraday candles that cannot be had: daily ones instead, and a word about it', async ({ page, vendor }) => {
  const chart = await new ChartPage(page).open('/?ticker=MSFT&range=1M&resolution=D');
  await vendor.always({ '5xx': 503 });
  await chart.byId('resolution-30').click();
  await expect(chart.byId('note-fallback')).toBeVisible();
  await chart.settled();
});

test('the vendor is down when newer candles are due: the last ones known, marked as stale', async ({ page }) => {
  test.slow();
  const stack = await new VendorStack().start(EVENING_CLOCK, { OHLCACHE_STORE: 'sqlite' });
  try {
    const chart = await new ChartPage(page).open(`${stack.server.url}${MONTH}`);
    const before = (await chart.bars()).length;
    await stack.vendor.always({ '5xx': 503 });
    await stack.server.kill();
    // The same server two hours later: the day is final by now, and nobody can tell how it ended.
    await stack.server.start({ OHLCACHE_CLOCK: '2024-06-06T00:30:00Z' });
    await chart.open(`${stack.server.url}${MONTH}`);
    await expect(chart.byId('badge')).toHaveAttribute('data-grade', 'stale');
    await expect(chart.byId('completeness')).toHaveText('Stale');
    await expect(chart.byId('stale-bar')).toContainText('The vendor');
    expect((await chart.bars()).length).toBeGreaterThanOrEqual(before - 1);
    expect(await chart.axe()).toEqual([]);
  } finally {
    await stack.stop();
  }
});

test('a server that wants a key gets one', async ({ page, server }) => {
  await page.route('**/api/**', async (route) => {
    if ((await route.request().allHeaders())['x-api-key'] === 'opensesame') await route.continue();
    else {
      await route.fulfill({ status: 401, contentType: 'application/json', body: ERROR('unauthorized', 'A key is needed.') });
    }
  });
  const chart = new ChartPage(page);
  await page.goto(MONTH);
  await chart.byId('key-input').pressSequentially('wrong');
  await chart.byId('key-input').press('Enter');
  await expect(chart.byId('key-box')).toContainText('not accepted');
  expect(await chart.axe()).toEqual([]);
  await chart.byId('key-input').pressSequentially('opensesame');
  await chart.byId('key-input').press('Enter');
  await chart.settled((await answer(server, 'range=1M')).count);
});
