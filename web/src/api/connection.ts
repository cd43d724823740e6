/**
 * Whether the server can be heard. Any request that gets no answer reports `lost`; from then on `/healthz` is asked
 * until somebody answers, and the page says so: `restored` for a moment, then `connected`.
 *
 * Browsers only know whether there is a network, not whether this server is up; one mechanism serves both.
 */

import { createStore } from '../lib/store';

export type Connection = 'connected' | 'offline' | 'unreachable' | 'restored';

const PROBE_EVERY_MS = 2000;
const PROBE_TIMEOUT_MS = 5000;
const RESTORED_SHOWN_MS = 4000;

export const connection = createStore<Connection>('connected');

const restoredListeners = new Set<() => void>();
let probing = false;
let timer: ReturnType<typeof setTimeout> | undefined;

export function onRestored(listener: () => void): () => void {
  restoredListeners.add(listener);
  return () => {
    restoredListeners.delete(listener);
  };
}

export function reportLost(): void {
  connection.set(navigator.onLine ? 'unreachable' : 'offline');
  if (probing) return;
  probing = true;
  clearTimeout(timer);
  timer = setTimeout(() => void probe(), PROBE_EVERY_MS);
}

export function reportHeard(): void {
  const state = connection.get();
  if (state === 'connected' || state === 'restored') return;
  probing = false;
  clearTimeout(timer);
  connection.set('restored');
  timer = setTimeout(() => {
    connection.set('connected');
  }, RESTORED_SHOWN_MS);
  for (const listener of [...restoredListeners]) listener();
}

/** Ask now instead of at the next interval. */
export async function probe(): Promise<void> {
  clearTimeout(timer);
  try {
    const answer = await fetch('/healthz', { cache: 'no-store', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    reportHeard();
  } catch {
    connection.set(navigator.onLine ? 'unreachable' : 'offline');
    timer = setTimeout(() => void probe(), PROBE_EVERY_MS);
  }
}

/** Follow the browser's own word about the network. */
export function watchNetwork(): () => void {
  const asked = (): void => void (probing && probe());
  window.addEventListener('offline', reportLost);
  window.addEventListener('online', asked);
  return () => {
    window.removeEventListener('offline', reportLost);
    window.removeEventListener('online', asked);
  };
}
