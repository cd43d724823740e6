/** What Enter means when no suggestion is marked: the ticker as typed, or the one whose name was typed. */

import type { TickerInfo } from '../../api/tickers';

/** Shorter texts are tickers: `T` is no way to write Tesla. */
const NAME_CHARACTERS_LEAST = 3;

export function meantTicker(text: string, suggestions: readonly TickerInfo[]): string {
  const typed = text.trim();
  const upper = typed.toUpperCase();
  if (typed.length < NAME_CHARACTERS_LEAST || suggestions.some(({ ticker }) => ticker.startsWith(upper))) return typed;
  return suggestions.find(({ name }) => name.toUpperCase().startsWith(upper))?.ticker ?? typed;
}
