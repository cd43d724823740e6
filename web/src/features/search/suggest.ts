/** What the list under the ticker box offers. */

import type { TickerInfo } from '../../api/tickers';

export interface Suggestion extends TickerInfo {
  recent: boolean;
}

/**
 * Recent tickers first, then what the source found.
 *
 * Until it has `answered` for this very text, what it found for the text before stays on the list only where it fits: nobody
 * who types quickly is offered, or given by Enter, what was meant for fewer letters.
 */
export function suggest(
  text: string,
  found: readonly TickerInfo[],
  recent: readonly string[],
  answered: boolean,
): Suggestion[] {
  const typed = text.toUpperCase();
  const names = new Map(found.map((info) => [info.ticker, info.name]));
  const before = recent.filter((ticker) => ticker.startsWith(typed));
  const fits = ({ ticker, name }: TickerInfo): boolean =>
    answered || ticker.startsWith(typed) || name.toUpperCase().includes(typed);
  const known = found.filter((info) => !before.includes(info.ticker) && fits(info));
  return [
    ...before.map((ticker) => ({ ticker, name: names.get(ticker) ?? '', recent: true })),
    ...known.map((info) => ({ ...info, recent: false })),
  ];
}
