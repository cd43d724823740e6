/**
 * New York wall time, the only time zone in which sessions make sense.
 *
 * The chart library knows no zones, so intraday candles are placed at their New York wall time written as if it were
 * UTC ("wall seconds"). Sessions never cross midnight or a change of daylight saving, so this loses nothing.
 */

const DAY_SECONDS = 86_400;
const HALF_DAY_SECONDS = DAY_SECONDS / 2;

const wallClock = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/New_York',
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
});

const offsets = new Map<number, number>();

/** Seconds to add to UTC on that UTC day, taken at its noon (a session lies around it). */
function offsetSeconds(utcSeconds: number): number {
  const day = Math.floor(utcSeconds / DAY_SECONDS);
  let offset = offsets.get(day);
  if (offset === undefined) {
    const noon = day * DAY_SECONDS + HALF_DAY_SECONDS;
    offset = wallSecondsExactly(noon) - noon;
    offsets.set(day, offset);
  }
  return offset;
}

/** Wall seconds of any instant, daylight saving's own hours included; slow, for single instants. */
export function wallSecondsExactly(utcSeconds: number): number {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
  for (const part of wallClock.formatToParts(utcSeconds * 1000)) parts[part.type] = part.value;
  const field = (name: Intl.DateTimeFormatPartTypes): number => Number(parts[name]);
  return (
    Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'), field('second')) / 1000
  );
}

/** Wall seconds of a candle's `date`: `YYYY-MM-DD` (midnight) or an ISO instant. */
export function wallSeconds(date: string): number {
  const seconds = Date.parse(date) / 1000;
  return date.length === 10 ? seconds : seconds + offsetSeconds(seconds);
}

/** The market date (`YYYY-MM-DD`) of an instant, or of a date itself. */
export function marketDate(date: string): string {
  if (date.length === 10) return date;
  return isoDay(wallSecondsExactly(Date.parse(date) / 1000));
}

/** `YYYY-MM-DD` of wall seconds. */
export function isoDay(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** The market date `days` later (earlier when negative). */
export function shiftDay(day: string, days: number): string {
  return isoDay(Date.parse(day) / 1000 + days * DAY_SECONDS);
}

/** Days from `from` to `to`. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 1000 / DAY_SECONDS);
}
