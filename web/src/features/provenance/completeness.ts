/** Whether an answer is complete, in a few words and in a sentence. */

import { formingCandles } from '../../api/forming';
import type { Answer } from '../../api/ohlc';
import type { Formats } from '../../lib/format';
import { wallSeconds } from '../../lib/newYork';

export type Grade = 'complete' | 'incomplete' | 'stale';

export interface Completeness {
  grade: Grade;
  short: string;
  why: string;
}

const DATES_NAMED_MAX = 3;

export function completeness(answer: Answer, formats: Formats): Completeness {
  const count = formats.integer(answer.count);
  if (answer.stale) {
    return {
      grade: 'stale',
      short: 'Stale',
      why: reasoned(answer.stale_reason, `Candles that are due are not here${missingDates(answer, formats)}.`),
    };
  }
  if (!answer.complete) {
    const sessions = answer.missing.length;
    return {
      grade: 'incomplete',
      short: `Incomplete: ${sessions} ${sessions === 1 ? 'session' : 'sessions'} missing`,
      why: reasoned(answer.missing_reason, `Sessions are missing${missingDates(answer, formats)}.`),
    };
  }
  return { grade: 'complete', short: 'Complete', why: completeWhy(answer, count, formats) };
}

function completeWhy(answer: Answer, count: string, formats: Formats): string {
  const forming = answer.forming === 0 ? '' : formingCandles(answer) > 0 ? ' The newest is still forming.' : ' The session is not final yet.';
  if (answer.expected === 0 && answer.count === 0) return 'There was no session in this span, so nothing is missing.';
  const expected = formats.integer(answer.expected);
  // A candle that still forms may be due already (a day's, in the evening) or not yet (the last five minutes').
  if (answer.count >= answer.expected) {
    if (answer.expected === 0) return `Nothing is due yet.${forming}`;
    const all = answer.expected === 1 ? 'The one candle that the exchange calendar demands is' : `All ${expected} candles that the exchange calendar demands are`;
    return `${all} here.${forming}`;
  }
  const absent = answer.expected - answer.count;
  const others = absent === 1 ? 'the other one does' : `the other ${formats.integer(absent)} do`;
  return `${count} of ${expected} candles; the vendor confirmed that ${others} not exist.${forming}`;
}

function reasoned(reason: string | null, fact: string): string {
  return reason === null ? fact : `${reason} ${fact}`;
}

function missingDates(answer: Answer, formats: Formats): string {
  if (answer.missing.length === 0) return '';
  const named = answer.missing.slice(0, DATES_NAMED_MAX).map((date) => formats.dayShort(wallSeconds(date)));
  const more = answer.missing.length - named.length;
  return `: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
