/** A TCP proxy between browser and server: latency, bandwidth and silence, the same for every engine. */

import net from 'node:net';

export interface Conditions {
  rttMs: number;
  downBytesPerSecond: number;
  upBytesPerSecond: number;
  offline: boolean;
}

const PERFECT: Conditions = { rttMs: 0, downBytesPerSecond: Infinity, upBytesPerSecond: Infinity, offline: false };

export const SLOW_3G: Partial<Conditions> = { rttMs: 400, downBytesPerSecond: 50_000, upBytesPerSecond: 50_000 };

const SEGMENT_BYTES = 1460;

export class NetProxy {
  port = 0;
  /** The head of every request, as it went over the line: no browser lists the headers that its own cache adds. */
  readonly heads: string[] = [];
  #conditions = { ...PERFECT };
  #server: net.Server | undefined;
  readonly #sockets = new Set<net.Socket>();
  /** When the line of each direction is free again: all connections share it. */
  readonly #freeAt = { down: 0, up: 0 };

  constructor(private readonly targetPort: number) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    const server = net.createServer((client) => {
      this.#join(client);
    });
    this.#server = server;
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    this.port = (server.address() as net.AddressInfo).port;
    return this;
  }

  set(conditions: Partial<Conditions>): void {
    Object.assign(this.#conditions, conditions);
    if (this.#conditions.offline) for (const socket of this.#sockets) socket.destroy();
  }

  reset(): void {
    this.#conditions = { ...PERFECT };
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  #join(client: net.Socket): void {
    if (this.#conditions.offline) {
      client.destroy();
      return;
    }
    const upstream = net.connect(this.targetPort, '127.0.0.1');
    const end = (): void => {
      for (const socket of [client, upstream]) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
    }
    this.#note(client);
    this.#pump(client, upstream, 'up', end);
    this.#pump(upstream, client, 'down', end);
  }

  /** Requests of the page have no body, so a head ends where the next one begins. */
  #note(client: net.Socket): void {
    let received = '';
    client.on('data', (bytes: Buffer) => {
      const parts = (received + bytes.toString('latin1')).split('\r\n\r\n');
      received = parts.pop() ?? '';
      this.heads.push(...parts);
    });
  }

  #pump(from: net.Socket, to: net.Socket, direction: 'up' | 'down', end: () => void): void {
    // Timers of different lengths may fire in another order than they were set: each writes what is next.
    const underWay: Buffer[] = [];
    let closed = false;
    from.on('close', () => {
      closed = true;
      // What was sent before still arrives, unless the line itself was cut.
      if (underWay.length === 0 || this.#conditions.offline || to.destroyed) end();
    });
    from.on('data', (bytes: Buffer) => {
      const { rttMs, downBytesPerSecond, upBytesPerSecond } = this.#conditions;
      const rate = direction === 'down' ? downBytesPerSecond : upBytesPerSecond;
      if (rttMs === 0 && rate === Infinity) {
        to.write(bytes);
        return;
      }
      from.pause();
      let offset = 0;
      const step = (): void => {
        if (to.destroyed) return;
        if (offset >= bytes.length) {
          from.resume();
          return;
        }
        const segment = bytes.subarray(offset, offset + SEGMENT_BYTES);
        offset += segment.length;
        const now = performance.now();
        const done = Math.max(now, this.#freeAt[direction]) + (segment.length / rate) * 1000;
        this.#freeAt[direction] = done;
        underWay.push(segment);
        setTimeout(() => {
          const next = underWay.shift();
          if (next !== undefined && !to.destroyed) to.write(next);
          if (closed && underWay.length === 0) end();
        }, done - now + rttMs / 2);
        setTimeout(step, Math.max(0, done - now));
      };
      step();
    });
  }
}
