/** What the browser remembers between visits. Every access may be forbidden, and then nothing is remembered. */

const PREFIX = 'ohlcache.';

export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // Private windows and locked-down browsers refuse; the page works without.
  }
}

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}
