/** The real server, and the fault-injecting vendors behind it, as processes that a test can start, stop and kill. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const BIN = path.join(ROOT, '.venv', 'bin');
const READY_WITHIN_MS = 90_000;
const QUIT_WITHIN_MS = 15_000;

class Process {
  #child: ChildProcess | undefined;
  #said: string[] = [];

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Start and wait for the line that `ready` finds something in. */
  async start(command: string, args: string[], env: Record<string, string>, ready: RegExp): Promise<string> {
    const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.#said = [];
    return await new Promise<string>((resolve, reject) => {
      const fail = (): void => {
        reject(new Error(`${command} ${args.join(' ')} did not become ready:\n${this.#said.join('\n')}`));
      };
      const timer = setTimeout(fail, READY_WITHIN_MS);
      child.once('exit', fail);
      child.once('error', reject);
      for (const stream of [child.stdout, child.stderr]) {
        readline.createInterface({ input: stream }).on('line', (line) => {
          this.#said = [...this.#said.slice(-40), line];
          const found = ready.exec(line)?.[1];
          if (found === undefined) return;
          clearTimeout(timer);
          child.off('exit', fail);
          resolve(found);
        });
      }
    });
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.running) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), QUIT_WITHIN_MS);
    await gone;
    clearTimeout(timer);
  }
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

export class OhlcacheServer {
  port = 0;
  readonly #process = new Process();
  readonly #data = mkdtempSync(path.join(tmpdir(), 'ohlcache-e2e-'));

  constructor(private readonly env: Record<string, string>) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Start; a second time on the same port and with the same store. */
  async start(changed: Record<string, string> = {}): Promise<this> {
    Object.assign(this.env, changed);
    if (this.port === 0) this.port = await freePort();
    const env = { OHLCACHE_DATA_DIR: this.#data, OHLCACHE_PORT: String(this.port), ...this.env };
    await this.#process.start(path.join(BIN, 'ohlcache'), ['serve'], env, /(http:\/\/\S+)/);
    return this;
  }

  async kill(): Promise<void> {
    await this.#process.stop('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    rmSync(this.#data, { recursive: true, force: true });
  }

  async json<T>(address: string): Promise<T> {
    const answer = await fetch(this.url + address);
    return (await answer.json()) as T;
  }
}

export interface VendorCall {
  ticker: string;
  resolution: string;
  outcome: string;
}

/** Tiingo as it might be, with faults on demand. */
export class FakeVendor {
  url = '';
  readonly #process = new Process();

  async start(clock: string): Promise<this> {
    const args = ['-m', 'ohlcache.testing.fake_vendors', '--port', '0', '--clock', clock];
    this.url = await this.#process.start(path.join(BIN, 'python'), args, {}, /"tiingo_url": "([^"]+)"/);
    return this;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** What goes wrong on every call from now on. */
  async always(faults: Record<string, number>): Promise<void> {
    await this.#order('faults', { vendor: 'tiingo', always: faults });
  }

  async reset(): Promise<void> {
    await this.#order('reset', {});
    await this.#order('latency', { seconds: 0 });
  }

  async latency(seconds: number): Promise<void> {
    await this.#order('latency', { seconds });
  }

  async calls(): Promise<VendorCall[]> {
    return (await (await fetch(`${this.url}/_fake/calls`)).json()) as VendorCall[];
  }

  async #order(name: string, body: unknown): Promise<void> {
    const answer = await fetch(`${this.url}/_fake/${name}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`the fake vendor refused ${name}: ${answer.status}`);
  }
}

/** Six in the evening in New York: the session's candle is there and not yet final. */
export const EVENING_CLOCK = '2024-06-05T22:00:00Z';

/** A server whose vendor is the fake. */
export class VendorStack {
  readonly vendor = new FakeVendor();
  server = new OhlcacheServer({});

  async start(clock = EVENING_CLOCK, more: Record<string, string> = {}): Promise<this> {
    await this.vendor.start(clock);
    this.server = await new OhlcacheServer({
      OHLCACHE_SOURCE: 'tiingo',
      TIINGO_API_KEY: 'invented',
      TIINGO_BASE_URL: this.vendor.url,
      OHLCACHE_CLOCK: clock,
      OHLCACHE_STORE: 'memory',
      ...more,
    }).start();
    return this;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await this.vendor.stop();
  }
}

export async function sampleServer(): Promise<OhlcacheServer> {
  return await new OhlcacheServer({ OHLCACHE_SOURCE: 'sample', OHLCACHE_STORE: 'memory' }).start();
}
