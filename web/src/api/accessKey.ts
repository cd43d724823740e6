/** The API key, where the server asks for one: for this tab, or for this browser when the reader says so. */

import { recall, remember } from '../lib/storage';
import { createStore } from '../lib/store';

const NAME = 'api-key';

export const accessKey = createStore<string | null>(recall(NAME));

/** Use `key` from now on; return whether it is another one, with which everything is asked for anew (`main.tsx`). */
export function giveKey(key: string, keep: boolean): boolean {
  const other = key !== accessKey.get();
  remember(NAME, keep ? key : null);
  accessKey.set(key);
  return other;
}
