import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { askByHand } from './byHand';
import { type OhlcRequest, ohlcQuery, startAnew } from './ohlc';

const REQUEST: OhlcRequest = { ticker: 'AAPL', span: { range: '1W' }, resolution: 'D', adjust: null, partial: false };
const UNAVAILABLE = JSON.stringify({ error: { code: 'vendor_unavailable', message: 'Down.' } });

/** A server that is always down and notes what `Cache-Control` each request carried, and a client that is not patient. */
let server: Server;
let seen: (string | undefined)[];
let client: QueryClient;

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request.headers['cache-control']);
    response.writeHead(503, { 'Content-Type': 'application/json' }).end(UNAVAILABLE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ask = fetch;
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => ask(`http://127.0.0.1:${port}${path}`, init));
  client = new QueryClient({ defaultOptions: { queries: { networkMode: 'always', retry: 2, retryDelay: 1 } } });
});

afterEach(async () => {
  client.clear();
  vi.unstubAllGlobals();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function observe(): QueryObserver {
  return new QueryObserver(client, { ...ohlcQuery(REQUEST), enabled: false } as never);
}

describe('a person’s retry', () => {
  it('says no-cache once; what the page repeats before and after it does not', async () => {
    const observer = observe();
    const leave = observer.subscribe(() => undefined);
    await observer.refetch();
    expect(seen).toEqual([undefined, undefined, undefined]);
    await askByHand(client, ohlcQuery(REQUEST).queryKey, () => observer.refetch());
    expect(seen.slice(3)).toEqual(['no-cache', undefined, undefined]);
    await client.refetchQueries({ type: 'all' });
    await observer.refetch();
    expect(seen.slice(6)).not.toContain('no-cache');
    leave();
  });

  it('takes the place of a repetition that waits for its turn', async () => {
    client.setDefaultOptions({ queries: { networkMode: 'always', retry: 1, retryDelay: 3_600_000 } });
    const observer = observe();
    const leave = observer.subscribe(() => undefined);
    void observer.refetch();
    await vi.waitUntil(() => observer.getCurrentResult().failureCount === 1);
    void askByHand(client, ohlcQuery(REQUEST).queryKey, () => observer.refetch());
    await vi.waitUntil(() => seen.length === 2);
    expect(seen).toEqual([undefined, 'no-cache']);
    leave();
    await client.cancelQueries();
  });

  it('after a chart that stopped drops what was held and is the next request', async () => {
    const { queryKey } = ohlcQuery(REQUEST);
    client.setQueryData(queryKey, {} as never);
    startAnew(client, REQUEST);
    expect(client.getQueryData(queryKey)).toBeUndefined();
    await observe().refetch();
    expect(seen).toEqual(['no-cache', undefined, undefined]);
  });
});
