/** The keyboard, for the page; the chart has keys of its own while it has the focus. */

import { useEffect } from 'react';

import type { ShortcutGroup } from '../features/help/HelpSheet';

export const SHORTCUTS: readonly ShortcutGroup[] = [
  {
    title: 'Page',
    shortcuts: [
      { keys: ['/'], does: 'Find a ticker' },
      { keys: ['C'], does: 'Compare with another ticker' },
      { keys: ['1', '…', '8'], does: 'Range, from 1 day to year to date' },
      { keys: ['[', ']'], does: 'Narrower or wider candles' },
      { keys: ['A'], does: 'Next adjustment' },
      { keys: ['R'], does: 'Refresh' },
      { keys: ['I'], does: 'Inside the cache' },
      { keys: ['F'], does: 'Full screen' },
      { keys: ['T'], does: 'Light or dark' },
      { keys: ['?'], does: 'These shortcuts' },
    ],
  },
  {
    title: 'Chart, when it has the focus',
    shortcuts: [
      { keys: ['←', '→'], does: 'Read candle by candle' },
      { keys: ['⇧ ←', '⇧ →'], does: 'Pan' },
      { keys: ['Page Up', 'Page Down'], does: 'Pan by a screen' },
      { keys: ['+', '−'], does: 'Zoom' },
      { keys: ['0'], does: 'Show everything' },
    ],
  },
];

export type PageKeys = Readonly<Record<string, () => void>>;

/** Call the action of a key pressed anywhere but in a field, a dialog or with a modifier. */
export function useShortcuts(keys: PageKeys, enabled: boolean): void {
  useEffect(() => {
    if (!enabled) return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target as HTMLElement | null;
      if (target?.closest('input, textarea, select, dialog, [contenteditable]') != null) return;
      const action = keys[event.key] ?? keys[event.key.toLowerCase()];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('keydown', onKey);
    };
  }, [keys, enabled]);
}
