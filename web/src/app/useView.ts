import { useCallback, useSyncExternalStore } from 'react';

import { recall } from '../lib/storage';
import { parseView, type View, viewSearch } from './view';

const CHANGED = 'ohlcache:view';
const FIRST_TICKER = 'AAPL';

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  window.addEventListener(CHANGED, listener);
  return () => {
    window.removeEventListener('popstate', listener);
    window.removeEventListener(CHANGED, listener);
  };
}

let parsedFrom: string | null = null;
let parsed: View;

/** The view of the address of now; the same object as long as the address stays the same. */
function current(): View {
  const address = location.pathname + location.search;
  if (parsedFrom !== address) {
    parsed = parseView(location.pathname, location.search, recall('ticker') ?? FIRST_TICKER);
    parsedFrom = address;
  }
  return parsed;
}

/** The view, which lives in the address, and a way to change it: by default with an entry in the history. */
export function useView(): [View, (change: Partial<View>, replace?: boolean) => void] {
  const view = useSyncExternalStore(subscribe, current);
  const change = useCallback((part: Partial<View>, replace = false) => {
    const address = `/${viewSearch({ ...current(), ...part })}`;
    if (address === location.pathname + location.search) return;
    if (replace) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    window.dispatchEvent(new Event(CHANGED));
  }, []);
  return [view, change];
}
