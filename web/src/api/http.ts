/** One request to the API: JSON with its headers, or an error of `errors.ts`. */

import { accessKey } from './accessKey';
import { reportHeard, reportLost } from './connection';
import { type Decoder, Unreadable } from './decode';
import { ApiError, type ErrorBody, retryAfterSeconds, Unreachable } from './errors';

const TIMEOUT_MS = 40_000;

export interface Answered<T> {
  body: T;
  headers: Headers;
  elapsedMs: number;
}

export interface Asking {
  signal: AbortSignal;
  accept?: string;
  /** A person asks again (`byHand.ts`): the request says `Cache-Control: no-cache`, which `reload` makes the browser do. */
  byHand?: boolean;
}

export async function getJson<T>(
  path: string,
  decode: Decoder<T>,
  { signal, accept = 'application/json', byHand = false }: Asking,
): Promise<Answered<T>> {
  const key = accessKey.get();
  const started = performance.now();
  let response: Response;
  let received: string;
  try {
    response = await fetch(path, {
      headers: { Accept: accept, ...(key === null ? {} : { 'X-API-Key': key }) },
      cache: byHand ? 'reload' : 'default',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    received = await response.text();
  } catch (error) {
    if (signal.aborted) throw error;
    reportLost();
    throw new Unreachable('The server does not answer.', { cause: error });
  }
  const elapsedMs = performance.now() - started;
  const json = parsed(received);
  const reported = errorBody(json);
  if (!response.ok && reported === null && response.status >= 502) {
    // A proxy in front of us speaks, not the server.
    reportLost();
    throw new Unreachable(`The server does not answer (${response.status}).`);
  }
  reportHeard();
  if (!response.ok) {
    const wait = retryAfterSeconds(response.headers.get('Retry-After'), Date.now());
    throw new ApiError(response.status, reported ?? unreadable(), wait ?? reported?.retry_after_seconds ?? null);
  }
  try {
    return { body: decode(json, ''), headers: response.headers, elapsedMs };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw new ApiError(response.status, unreadable(error.message), null, { cause: error });
  }
}

function unreadable(where = ''): ErrorBody {
  return {
    code: 'unreadable',
    message: `The server sent an answer that this page cannot read. ${where}`.trim(),
    hint: 'Please try again; if it stays so, reload the page: it may be older than the server.',
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The error that the API reports; null when `json` is none of the API's. What is not a text in it is not shown. */
export function errorBody(json: unknown): ErrorBody | null {
  const error = fieldsOf(fieldsOf(json)?.['error']);
  const message = textOf(error?.['message']);
  if (error === null || message === null) return null;
  const seconds = error['retry_after_seconds'];
  return {
    code: textOf(error['code']) ?? 'unknown',
    message,
    hint: textOf(error['hint']),
    field: textOf(error['field']),
    retry_after_seconds: typeof seconds === 'number' && Number.isFinite(seconds) ? seconds : null,
    request_id: textOf(error['request_id']),
  };
}

function fieldsOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
