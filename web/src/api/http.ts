/** One request to the API: JSON with its headers, or an error of `errors.ts`. */

import { accessKey } from './accessKey';
import { reportHeard, reportLost } from './connection';
import { ApiError, type ErrorBody, retryAfterSeconds, Unreachable } from './errors';

const TIMEOUT_MS = 40_000;

export interface Answered<T> {
  body: T;
  headers: Headers;
  elapsedMs: number;
}

export async function getJson<T>(path: string, signal: AbortSignal, accept = 'application/json'): Promise<Answered<T>> {
  const key = accessKey.get();
  const started = performance.now();
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      headers: { Accept: accept, ...(key === null ? {} : { 'X-API-Key': key }) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    text = await response.text();
  } catch (error) {
    if (signal.aborted) throw error;
    reportLost();
    throw new Unreachable('The server does not answer.', { cause: error });
  }
  const body = parsed(text);
  if (response.ok && body !== undefined) {
    reportHeard();
    return { body: body as T, headers: response.headers, elapsedMs: performance.now() - started };
  }
  const told = errorBody(body);
  if (told === null && response.status >= 502) {
    // A proxy in front of us speaks, not the server.
    reportLost();
    throw new Unreachable(`The server does not answer (${response.status}).`);
  }
  reportHeard();
  const wait = retryAfterSeconds(response.headers.get('Retry-After'), Date.now());
  throw new ApiError(
    response.ok ? 502 : response.status,
    told ?? { code: 'unreadable', message: 'The server sent an answer that this page cannot read.' },
    wait ?? told?.retry_after_seconds ?? null,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function errorBody(body: unknown): ErrorBody | null {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null;
  const { error } = body;
  return typeof error === 'object' && error !== null && 'message' in error ? (error as ErrorBody) : null;
}
