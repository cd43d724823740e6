/** The tiers an answer can come from, in words. */

export type TierKind = 'memory' | 'store' | 'vendor';

const NAMES: Record<string, string> = {
  'in-memory': 'Memory',
  memory: 'Store',
  sqlite: 'SQLite',
  dynamodb: 'DynamoDB',
  tiingo: 'Tiingo',
  finnhub: 'Finnhub',
  sample: 'Sample data',
};

const STORES = new Set(['sqlite', 'dynamodb', 'memory']);

export function tierKind(tier: string): TierKind {
  if (tier === 'in-memory') return 'memory';
  return STORES.has(tier) ? 'store' : 'vendor';
}

export function sourceName(name: string): string {
  return NAMES[name] ?? name;
}

export const TIER_MEANING: Record<TierKind, string> = {
  memory: 'answered from memory',
  store: 'answered from the store',
  vendor: 'fetched from the vendor',
};
