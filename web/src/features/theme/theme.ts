/** Light or dark: the system's, unless the reader chose. */

import { recall, remember } from '../../lib/storage';
import { createStore } from '../../lib/store';

export type Theme = 'system' | 'light' | 'dark';

const NAME = 'theme';
const stored = recall(NAME);

export const theme = createStore<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system');

export function setTheme(chosen: Theme): void {
  remember(NAME, chosen === 'system' ? null : chosen);
  if (chosen === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
  theme.set(chosen);
}

/** From the system's theme to its opposite, and back to following the system. */
export function nextTheme(now: Theme, systemIsDark: boolean): Theme {
  if (now !== 'system') return 'system';
  return systemIsDark ? 'light' : 'dark';
}
