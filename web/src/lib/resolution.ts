/** The words of the API, in the API's own spelling. */

export const RANGES = ['1D', '1W', '1M', '3M', '6M', '1Y', '5Y', 'YTD'] as const;
export type RangeName = (typeof RANGES)[number];

export const RESOLUTIONS = ['1', '5', '15', '30', '60', 'D'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];

export const ADJUSTMENTS = ['splits', 'all', 'none'] as const;
export type Adjustment = (typeof ADJUSTMENTS)[number];

export const RANGE_NAMES: Record<RangeName, string> = {
  '1D': '1 day',
  '1W': '1 week',
  '1M': '1 month',
  '3M': '3 months',
  '6M': '6 months',
  '1Y': '1 year',
  '5Y': '5 years',
  YTD: 'year to date',
};

export const RESOLUTION_NAMES: Record<Resolution, string> = {
  '1': '1-minute',
  '5': '5-minute',
  '15': '15-minute',
  '30': '30-minute',
  '60': '60-minute',
  D: 'daily',
};

export const RESOLUTION_MINUTES: Record<Exclude<Resolution, 'D'>, number> = { '1': 1, '5': 5, '15': 15, '30': 30, '60': 60 };

export const ADJUSTMENT_NAMES: Record<Adjustment, string> = {
  splits: 'adjusted for splits',
  all: 'adjusted for splits and dividends',
  none: 'as traded, not adjusted',
};

export function isOneOf<T extends string>(values: readonly T[], value: string | null): value is T {
  return value !== null && (values as readonly string[]).includes(value);
}
