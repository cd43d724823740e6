/**
 * A person's retry. Its request says `Cache-Control: no-cache`, and the server then asks a vendor that refused a moment ago;
 * what the page repeats by itself (after a failure, a countdown, an expiry, a return to the tab) never says so.
 */

import { hashKey, type QueryClient, type QueryKey } from '@tanstack/react-query';

/** Queries whose next request is a person's. */
const asked = new Set<string>();

/** The query's next request is a person's, whoever makes it. */
export function markByHand(queryKey: QueryKey): void {
  asked.add(hashKey(queryKey));
}

/** Let `ask` make the query's next request, as a person's own. */
export async function askByHand(client: QueryClient, queryKey: QueryKey, ask: () => Promise<unknown>): Promise<void> {
  // A repetition that is under way or waits for its turn would take this one's place.
  await client.cancelQueries({ queryKey, exact: true });
  markByHand(queryKey);
  try {
    await ask();
  } finally {
    asked.delete(hashKey(queryKey));
  }
}

/** Whether this request of the query is a person's; true once. */
export function takenByHand(queryKey: QueryKey): boolean {
  return asked.delete(hashKey(queryKey));
}
