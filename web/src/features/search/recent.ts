/** The tickers looked at last, newest first. */

import { recall, remember } from '../../lib/storage';

const NAME = 'recent';
const RECENT_MAX = 6;

export function recentTickers(): string[] {
  return (recall(NAME) ?? '').split(',').filter((ticker) => ticker !== '');
}

export function noteTicker(ticker: string): void {
  remember(NAME, withNewest(recentTickers(), ticker).join(','));
  remember('ticker', ticker);
}

export function withNewest(recent: readonly string[], ticker: string): string[] {
  return [ticker, ...recent.filter((other) => other !== ticker)].slice(0, RECENT_MAX);
}
