/**
 * Drives the system's WebKitGTK with Playwright: a small GTK host opens WebKit's inspector socket, and
 * `webkit.connectOverCDP` speaks to it. One page per context, each in a process of its own, on a virtual screen.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import readline from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { Browser, BrowserContext, BrowserContextOptions, BrowserType, Page } from '@playwright/test';

const HOST = fileURLToPath(new URL('./webkit_host.py', import.meta.url));
const SCREEN = '2200x1400x24';
const TAB = /\/socket\/\d+\/\d+\/WebPage/g;
const QUIT_WITHIN_MS = 2000;

interface Size {
  width: number;
  height: number;
}

async function freePort(): Promise<number> {
  return await new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}

async function startScreen(): Promise<{ display: string; stop: () => void }> {
  const args = ['-displayfd', '3', '-screen', '0', SCREEN, '-nolisten', 'tcp'];
  const child = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const number = await new Promise<string>((resolve, reject) => {
    readline.createInterface({ input: child.stdio[3] as Readable }).once('line', resolve);
    child.once('exit', () => {
      reject(new Error('Xvfb ended before it was ready'));
    });
    child.once('error', reject);
  });
  return { display: `:${number}`, stop: () => void child.kill() };
}

async function startHost(display: string, inspectorPort: number): Promise<ChildProcess> {
  const host = spawn('/usr/bin/python3', [HOST], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      ...process.env,
      DISPLAY: display,
      // Without a UTF-8 locale the chart draws nothing.
      LANG: 'en_US.UTF-8',
      LC_ALL: 'en_US.UTF-8',
      TZ: 'UTC',
      GTK_THEME: 'Adwaita',
      GDK_BACKEND: 'x11',
      NO_AT_BRIDGE: '1',
      WEBKIT_INSPECTOR_HTTP_SERVER: `127.0.0.1:${inspectorPort}`,
    },
  });
  await new Promise<void>((resolve, reject) => {
    host.stdout.once('data', () => {
      resolve();
    });
    host.once('exit', (code) => {
      reject(new Error(`the WebKit host ended with ${code}`));
    });
  });
  return host;
}

/** The list of pages as Playwright asks for it, made from the inspector's own page of links. */
async function startTabList(inspectorPort: number): Promise<http.Server> {
  const server = http.createServer((_, response) => {
    void listTabs(inspectorPort).then((tabs) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(tabs));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

async function listTabs(port: number): Promise<{ webSocketDebuggerUrl: string }[]> {
  for (let tries = 0; tries < 1200; tries += 1) {
    const html = await fetch(`http://127.0.0.1:${port}/`).then(
      async (answer) => await answer.text(),
      () => '',
    );
    const found = html.match(TAB) ?? [];
    if (found.length > 0) return found.map((tab) => ({ webSocketDebuggerUrl: `ws://127.0.0.1:${port}${tab}` }));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return [];
}

async function openContext(
  webkit: BrowserType,
  display: string,
  options: BrowserContextOptions,
  closed: (context: BrowserContext) => void,
): Promise<BrowserContext> {
  const inspectorPort = await freePort();
  const host = await startHost(display, inspectorPort);
  const tabs = await startTabList(inspectorPort);
  const browser = await webkit.connectOverCDP(`http://127.0.0.1:${(tabs.address() as net.AddressInfo).port}`);
  const context = browser.contexts()[0];
  const page = context?.pages()[0];
  if (context === undefined || page === undefined) throw new Error('the WebKit host shows no page');

  const resize = async ({ width, height }: Size): Promise<void> => {
    host.stdin?.write(`resize ${width} ${height}\n`);
    await page.waitForFunction(([w, h]) => innerWidth === w && innerHeight === h, [width, height], { timeout: 60_000 });
  };
  page.setViewportSize = resize;
  let given = false;
  context.newPage = async (): Promise<Page> => {
    if (given) throw new Error('WebKitGTK has one page per context');
    given = true;
    return await Promise.resolve(page);
  };
  context.close = async (): Promise<void> => {
    closed(context);
    await browser.close().catch(() => undefined);
    tabs.close();
    const gone = new Promise((resolve) => host.once('exit', resolve));
    host.stdin?.end('quit\n');
    const timer = setTimeout(() => host.kill('SIGKILL'), QUIT_WITHIN_MS);
    await gone;
    clearTimeout(timer);
  };
  await resize(options.viewport ?? { width: 1280, height: 720 });
  return context;
}

/** A browser as the test runner expects one, made of hosts. */
export async function webkitGtkBrowser(webkit: BrowserType): Promise<Browser> {
  const screen = await startScreen();
  const open = new Set<BrowserContext>();
  const browser = {
    _connection: { headers: undefined },
    isConnected: () => true,
    contexts: () => [...open],
    version: () => 'WebKitGTK',
    browserType: () => webkit,
    newContext: async (options: BrowserContextOptions = {}) => {
      const context = await openContext(webkit, screen.display, options, (gone) => open.delete(gone));
      open.add(context);
      return context;
    },
    close: async () => {
      for (const context of [...open]) await context.close();
      screen.stop();
    },
  };
  return browser as unknown as Browser;
}
