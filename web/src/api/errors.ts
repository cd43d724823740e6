/** What can go wrong between the page and the API: it answered with an error, or nobody answered. */

export interface ErrorBody {
  code: string;
  message: string;
  hint?: string | null;
  field?: string | null;
  retry_after_seconds?: number | null;
  request_id?: string | null;
}

/** The API answered, with an error that says what and what next. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** Epoch milliseconds from which asking again can help (429, and 503 when the server knows). */
  readonly retryAt: number | null;

  constructor(
    readonly status: number,
    readonly body: ErrorBody,
    retryAfterSeconds: number | null,
    options?: ErrorOptions,
  ) {
    super(body.message, options);
    this.retryAt = retryAfterSeconds === null ? null : Date.now() + retryAfterSeconds * 1000;
  }
}

/** Nobody answered: no network, or the server is down. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** Seconds of a `Retry-After` header, which holds seconds or an HTTP date; null when it holds neither. */
export function retryAfterSeconds(header: string | null, now: number): number | null {
  if (header === null || header.trim() === '') return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const instant = Date.parse(header);
  return Number.isNaN(instant) ? null : Math.max(0, (instant - now) / 1000);
}
