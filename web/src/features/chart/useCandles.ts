/** The candles of one chart: the answer asked for, older ones panned to, and what stays on screen meanwhile. */

import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';

import { askByHand } from '../../api/byHand';
import { onRestored } from '../../api/connection';
import { Unreachable } from '../../api/errors';
import { type Answer, mayHaveOlder, type OhlcRequest, ohlcQuery, olderQuery } from '../../api/ohlc';
import { quotaWaitMs } from '../../api/retry';
import { type Bars, barsOf } from './bars';

export interface Candles {
  /** The answer on screen, of this ticker; undefined before the first. */
  answer: Answer | undefined;
  data: Bars;
  /** Whether `answer` is another request's, shown until this one's arrives or because it failed. */
  standIn: boolean;
  loading: boolean;
  /** Failed tries of the request that is still being repeated. */
  failures: number;
  error: Error | null;
  olderLoading: boolean;
  olderError: Error | null;
  /** Names what is on screen, for the view. */
  viewKey: string;
  /** A person asks again for what failed. */
  retry: () => void;
  loadOlder: () => void;
}

const NO_PAGES: Answer[] = [];

export function useCandles(request: OhlcRequest): Candles {
  const client = useQueryClient();
  const baseQuery = ohlcQuery(request);
  const base = useQuery({ ...baseQuery, placeholderData: keepPreviousData });
  const own = base.isPlaceholderData ? undefined : base.data;
  const [lastGood, setLastGood] = useState(own);
  if (own !== undefined && own !== lastGood) setLastGood(own);
  const kept = base.data ?? lastGood;
  // A failed request keeps the chart of the same ticker; another ticker's chart under this one's name would lie.
  const answer = own ?? (base.error !== null && kept?.ticker !== request.ticker ? undefined : kept);

  const olderPages = olderQuery(request, own);
  const older = useInfiniteQuery(olderPages);
  const { fetchNextPage, hasNextPage, isFetching, isError: olderFailed, error: olderError } = older;
  const pages = own === undefined ? undefined : older.data?.pages;
  const isMore = older.data === undefined ? own !== undefined && own.count > 0 && mayHaveOlder(own) : hasNextPage;
  const canLoadOlder = own !== undefined && isMore && !isFetching && !olderFailed;
  const loadOlder = useCallback(() => {
    if (canLoadOlder) void fetchNextPage();
  }, [canLoadOlder, fetchNextPage]);
  useEffect(() => {
    // What the page says it does by itself: try again after the countdown, and once the server is heard again.
    const again = (): void => void fetchNextPage();
    if (olderError instanceof Unreachable) return onRestored(again);
    const waitMs = quotaWaitMs(olderError, Date.now());
    if (waitMs === false) return;
    const timer = setTimeout(again, waitMs);
    return () => {
      clearTimeout(timer);
    };
  }, [fetchNextPage, olderError]);

  const data = useMemo(() => {
    if (answer === undefined) return barsOf(NO_PAGES);
    return barsOf([...(pages ?? NO_PAGES)].reverse().concat(answer));
  }, [answer, pages]);

  const { refetch } = base;
  return {
    answer,
    data,
    standIn: answer !== undefined && own === undefined,
    loading: base.isFetching,
    failures: base.failureCount,
    error: base.error,
    olderLoading: older.isFetching,
    olderError,
    viewKey: answer === undefined ? '' : [answer.ticker, answer.time_range, answer.resolution, answer.start_date].join(' '),
    retry: () => {
      // Where only older candles failed, the vendor has nothing to be asked again about these.
      if (!olderFailed || base.error !== null || answer?.stale === true) void askByHand(client, baseQuery.queryKey, refetch);
      if (olderFailed) void askByHand(client, olderPages.queryKey, fetchNextPage);
    },
    loadOlder,
  };
}
