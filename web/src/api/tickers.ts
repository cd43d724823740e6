/** Suggestions from what the source knows. */

import { keepPreviousData, queryOptions } from '@tanstack/react-query';

import { list, object, text as aText } from './decode';
import { getJson } from './http';

export interface TickerInfo {
  ticker: string;
  name: string;
}

export const tickersBody = object<{ tickers: TickerInfo[] }>({
  tickers: list(object<TickerInfo>({ ticker: aText, name: aText })),
});

const SUGGESTIONS_MAX = 8;

export function tickersQuery(text: string) {
  const query = new URLSearchParams({ query: text, limit: String(SUGGESTIONS_MAX) });
  return queryOptions({
    queryKey: ['tickers', text] as const,
    queryFn: async ({ signal }) =>
      (await getJson(`/api/v2/tickers?${query.toString()}`, tickersBody, { signal })).body.tickers,
    staleTime: 5 * 60_000,
    placeholderData: keepPreviousData,
    retry: false,
  });
}
