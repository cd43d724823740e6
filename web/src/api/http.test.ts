import { afterEach, describe, expect, it, vi } from 'vitest';

import { object, text } from './decode';
import { ApiError } from './errors';
import { getJson } from './http';

const greeting = object<{ hello: string }>({ hello: text });

function answerWith(body: string, status = 200): void {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(body, { status })));
}

async function failure(): Promise<unknown> {
  return await getJson('/x', greeting, { signal: new AbortController().signal }).then(
    () => null,
    (error: unknown) => error,
  );
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('an answer that is none', () => {
  it('is one error, whatever came instead', async () => {
    for (const body of ['', '{}', '[]', '"hello"', 'null', '7', '{"hello":', '{"hello":null}', '<!doctype html><p>Log in', '\u0000']) {
      answerWith(body);
      const error = await failure();
      expect(error, body).toBeInstanceOf(ApiError);
      expect(error).toMatchObject({ status: 200, retryAt: null, body: { code: 'unreadable' } });
    }
    answerWith('{"hello":"you"}');
    expect(await failure()).toBeNull();
  });

  it('says where it is not readable', async () => {
    answerWith('{"hello":7}');
    expect(await failure()).toMatchObject({ message: 'The server sent an answer that this page cannot read. hello is not a text.' });
  });
});

describe('an error', () => {
  it('of the API is taken field by field, and what is not a text in it is not shown', async () => {
    answerWith('{"error":{"code":"quota_exceeded","message":"Wait.","hint":{"a":1},"request_id":[],"retry_after_seconds":"9"}}', 429);
    expect(await failure()).toMatchObject({
      status: 429,
      retryAt: null,
      body: { code: 'quota_exceeded', message: 'Wait.', hint: null, request_id: null },
    });
  });

  it('that is none of the API’s keeps its status', async () => {
    for (const body of ['{}', '[]', 'null', '"no"', '{"error":7}', '{"error":{"message":{}}}', 'Internal Server Error']) {
      answerWith(body, 500);
      expect(await failure(), body).toMatchObject({ status: 500, body: { code: 'unreadable' } });
    }
  });
});
