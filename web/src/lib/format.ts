/** Numbers, prices, dates and ages as the reader's locale writes them. Dates are market dates: New York, always. */

const DAY_MS = 86_400_000;
const LOCALE_DEFAULT = 'en-US';

export interface Formats {
  locale: string;
  price: (value: number, decimals: number) => string;
  /** A candle's own price: cents at least, and what lies beyond them. */
  exact: (value: number) => string;
  integer: (value: number) => string;
  compact: (value: number) => string;
  percent: (value: number) => string;
  /** A share without decimals: 93 %. */
  share: (value: number) => string;
  signed: (value: number, decimals: number) => string;
  day: (wallSeconds: number) => string;
  dayLong: (wallSeconds: number) => string;
  dayShort: (wallSeconds: number) => string;
  monthShort: (wallSeconds: number) => string;
  time: (wallSeconds: number) => string;
  bytes: (value: number) => string;
}

/** The reader's language as `Intl` takes it. Some systems report what is none (`en-US@posix`), and `Intl` throws at it. */
export function localeOf(language: string): string {
  try {
    return Intl.getCanonicalLocales(language)[0] ?? LOCALE_DEFAULT;
  } catch {
    return LOCALE_DEFAULT;
  }
}

export function formatsFor(locale: string): Formats {
  const date = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale, { timeZone: 'UTC', ...options });
  const integer = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, {
    style: 'percent',
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
    signDisplay: 'exceptZero',
  });
  const share = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
  const day = date({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
  const dayLong = date({ day: 'numeric', month: 'long', year: 'numeric' });
  const dayShort = date({ day: 'numeric', month: 'short' });
  const monthShort = date({ month: 'short' });
  const time = date({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const at = (format: Intl.DateTimeFormat) => (seconds: number) => format.format(seconds * 1000);
  const exact = decimalsBetween(locale, 2, EXACT_DECIMALS);
  const exactCents = decimalsBetween(locale, 2, EXACT_DECIMALS_OF_CENTS);
  const fixed = cached((decimals: number) => decimalFormat(locale, decimals, 'auto'));
  const signedFixed = cached((decimals: number) => decimalFormat(locale, decimals, 'exceptZero'));
  return {
    locale,
    exact: (value) => (Math.abs(value) < 1 ? exactCents : exact).format(value),
    price: (value, decimals) => fixed(decimals).format(value),
    integer: (value) => integer.format(value),
    compact: (value) => compact.format(value),
    percent: (value) => percent.format(value),
    share: (value) => share.format(value),
    signed: (value, decimals) => signedFixed(decimals).format(value),
    day: at(day),
    dayLong: at(dayLong),
    dayShort: at(dayShort),
    monthShort: at(monthShort),
    time: at(time),
    bytes: (value) => bytes(locale, value),
  };
}

function decimalsBetween(locale: string, minimumFractionDigits: number, maximumFractionDigits: number): Intl.NumberFormat {
  return new Intl.NumberFormat(locale, { minimumFractionDigits, maximumFractionDigits });
}

function decimalFormat(
  locale: string,
  decimals: number,
  signDisplay: 'auto' | 'exceptZero',
): Intl.NumberFormat {
  return new Intl.NumberFormat(locale, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
    signDisplay,
  });
}

function cached<T>(make: (key: number) => T): (key: number) => T {
  const made = new Map<number, T>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}

function bytes(locale: string, value: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;
  const step = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log(value) / Math.log(1024)));
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: units[step],
    unitDisplay: step === 0 ? 'long' : 'short',
    maximumFractionDigits: step === 0 ? 0 : 1,
  }).format(value / 1024 ** step);
}

/** "just now", "40 seconds ago", "3 minutes ago", "2 days ago": in English, like the sentence around it. */
export function ago(seconds: number): string {
  if (seconds < 5) return 'just now';
  const steps: [number, string][] = [
    [60, 'second'],
    [3600, 'minute'],
    [86_400, 'hour'],
    [Infinity, 'day'],
  ];
  let unitSeconds = 1;
  for (const [limit, unit] of steps) {
    if (seconds < limit) {
      const count = Math.floor(seconds / unitSeconds);
      return `${count} ${unit}${count === 1 ? '' : 's'} ago`;
    }
    unitSeconds = limit;
  }
  return '';
}

/** "0:42", "12:05", "1:00:00". */
export function countdown(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Milliseconds until `ago` would say something else: seconds tick by the second, minutes by the minute. */
export function agoChangesInMs(seconds: number): number {
  if (seconds < 60) return 1000;
  return seconds < 3600 ? 60_000 - ((seconds * 1000) % 60_000) : Math.min(3_600_000, DAY_MS);
}

/** Decimals on the price axis and of differences: cents, unless the prices themselves are cents. */
export function decimalsFor(largest: number): number {
  return largest >= 1 ? 2 : 4;
}

/** Decimals at most of a price read off exactly; adjusted prices have endless ones, and nobody reads a fifth. */
export const EXACT_DECIMALS = 4;
/** Of a price below one, where the fifth decimal is still a thousandth part. */
const EXACT_DECIMALS_OF_CENTS = 6;
