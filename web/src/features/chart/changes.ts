/**
 * By how much prices changed: a session from the close of the one before, a span from the close before its first
 * session. Where there was none, or a split lies between that the prices are not adjusted for, there is a reason instead.
 */

import type { Answer, Split } from '../../api/ohlc';
import type { Formats } from '../../lib/format';
import { isoDay, wallSeconds } from '../../lib/newYork';
import type { Bars } from './bars';

export interface Change {
  difference: number;
  share: number;
  /** Null: from the close before. Else from the open of the first candle, and whether that was the listing. */
  since: { day: string; listing: boolean } | null;
}

export type NoChange =
  | { why: 'unknown' }
  | { why: 'split'; split: Split }
  /** Prices jump as at a split, and whether there was one is not known. */
  | { why: 'jump'; day: string };

export interface Changes {
  close: number;
  day: Change | NoChange;
  /** Of the span asked for: what was panned to does not count. Null where it is one session. */
  span: Change | NoChange | null;
}

/** The smallest split that one meets is 5 for 4; who opens a fifth higher or a sixth lower may have had one. */
const JUMP_RATIO = 1.2;

const DAY_SECONDS = 86_400;

export function isChange(change: Change | NoChange): change is Change {
  return !('why' in change);
}

/** The changes of an answer's newest session and of its span; null without candles. */
export function changesOf(answer: Answer): Changes | null {
  const { candles, listed_on, previous_close } = answer;
  const close = candles.close.at(-1);
  const firstOpen = candles.open[0];
  if (close === undefined || firstOpen === undefined) return null;
  const firstDay = dayAt(candles.date, 0);
  const starts = sessionStarts(candles.date, answer.unadjusted_splits === null);
  const lastStart = starts[starts.length - 1] ?? 0;
  const lastDay = dayAt(candles.date, lastStart);
  const before = lastStart > 0 ? candles.close[lastStart - 1] : previous_close;
  const dayBefore = lastStart > 0 ? dayAt(candles.date, lastStart - 1) : null;
  const sinceFirst = { day: firstDay, listing: listed_on === firstDay };

  let day: Change | NoChange;
  if (before === null || before === undefined) {
    day = sinceFirst.listing ? changeFrom(firstOpen, close, sinceFirst) : { why: 'unknown' };
  } else if (answer.missing.some((missed) => missed > (dayBefore ?? '') && missed < lastDay)) {
    day = { why: 'unknown' };
  } else day = splitWithin(answer, dayBefore, [lastStart]) ?? changeFrom(before, close, null);
  if (firstDay === lastDay) return { close, day, span: null };

  const since = previous_close === null ? sinceFirst : null;
  const span =
    splitWithin(answer, since === null ? null : firstDay, starts) ?? changeFrom(previous_close ?? firstOpen, close, since);
  return { close, day, span };
}

/** The change of the bar at `index` from the close of the one before it, which may lie before all of them. */
export function barChange({ bars, previousClose, splits }: Bars, index: number): Change | NoChange {
  const [bar, older] = [bars[index], bars[index - 1]];
  const before = older?.close ?? (index === 0 ? previousClose : null);
  if (bar === undefined || before === null) return { why: 'unknown' };
  const isNewSession = older === undefined || isoDay(older.time) !== isoDay(bar.time);
  if (isNewSession) {
    const split = splits?.find(({ date }) => wallSeconds(date) <= bar.time && wallSeconds(date) > (older?.time ?? -Infinity));
    if (split !== undefined) return { why: 'split', split };
    if (splits === null && jumps(before, bar.open)) return { why: 'jump', day: isoDay(bar.time) };
  }
  return changeFrom(before, bar.close, null);
}

/** A split in words: "7-for-1", "3-for-2", "1-for-20". */
export function splitWords({ ratio }: Split): string {
  for (let olds = 1; olds <= 100; olds += 1) {
    const news = ratio * olds;
    if (news >= 0.5 && Math.abs(news - Math.round(news)) < 1e-6 * olds) return `${Math.round(news)}-for-${olds}`;
  }
  return `${ratio}-for-1`;
}

/** Why there is no figure, as the page says it. */
export function reasonWords(change: NoChange, formats: Formats): string {
  const on = (day: string): string => formats.dayLong(wallSeconds(day));
  switch (change.why) {
    case 'split':
      return `no percentage across the ${splitWords(change.split)} split of ${on(change.split.date)}: prices are not adjusted`;
    case 'jump':
      return `no percentage: prices jump on ${on(change.day)} as at a split, and whether there was one is not known`;
    case 'unknown':
      return 'the change of the day is not known: the close before it is missing';
  }
}

function changeFrom(before: number, close: number, since: Change['since']): Change {
  const difference = close - before;
  return { difference, share: before === 0 ? 0 : difference / before, since };
}

/**
 * Why nothing can be counted across the sessions that begin at `starts`: a split after the session on `after` (null: the
 * one of the close before the candles), or, where splits are not known, a jump into one of them.
 */
function splitWithin(answer: Answer, after: string | null, starts: readonly number[]): NoChange | null {
  const { candles, previous_close, unadjusted_splits } = answer;
  if (unadjusted_splits !== null) {
    const split = unadjusted_splits.find(({ date }) => after === null || date > after);
    return split === undefined ? null : { why: 'split', split };
  }
  for (const start of starts) {
    const before = start > 0 ? candles.close[start - 1] : previous_close;
    const open = candles.open[start];
    if (typeof before === 'number' && open !== undefined && jumps(before, open)) {
      return { why: 'jump', day: dayAt(candles.date, start) };
    }
  }
  return null;
}

function jumps(before: number, open: number): boolean {
  return open >= before * JUMP_RATIO || before >= open * JUMP_RATIO;
}

/** Where sessions begin: all of them, or, which is cheaper, the first and the last. */
function sessionStarts(dates: readonly string[], all: boolean): number[] {
  const starts: number[] = [];
  let index = dates.length - 1;
  while (index >= 0) {
    const day = dayNumber(dates[index]);
    while (index > 0 && dayNumber(dates[index - 1]) === day) index -= 1;
    starts.push(index);
    if (!all) break;
    index -= 1;
  }
  if (!all && index > 0) starts.push(0);
  return starts.reverse();
}

function dayNumber(date: string | undefined): number {
  return Math.floor(wallSeconds(date ?? '') / DAY_SECONDS);
}

function dayAt(dates: readonly string[], index: number): string {
  return isoDay(wallSeconds(dates[index] ?? ''));
}
