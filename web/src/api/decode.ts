/**
 * What the page takes for an answer: JSON of the shape that it was written for. Anything else (a login page, a proxy's
 * apology, half an answer) ends here, as one error that the page knows how to show, and never inside a chart.
 *
 * A decoder returns the value it was given, so fields that are newer than the page pass through.
 */

const DRAWABLE_MAX = Number.MAX_SAFE_INTEGER / 100;

export type Decoder<T> = (value: unknown, path: string) => T;

/** The answer is not what the page was written for; `path` names the first place where it is not. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';

  constructor(
    readonly path: string,
    wanted: string,
  ) {
    super(`${path === '' ? 'The answer' : path} is not ${wanted}.`);
  }
}

function holds<T>(wanted: string, test: (value: unknown) => boolean): Decoder<T> {
  return (value, path) => {
    if (!test(value)) throw new Unreadable(path, wanted);
    return value as T;
  };
}

export const text = holds<string>('a text', (value) => typeof value === 'string');
export const truth = holds<boolean>('true or false', (value) => typeof value === 'boolean');
/** JSON knows no NaN, but `1e999` is a number to it and infinite to JavaScript. */
export const number = holds<number>('a number', Number.isFinite);
/** What the chart library can place: it throws at larger numbers, or never returns from looking for a scale. */
export const drawable = holds<number>('a number that can be drawn', (value) => Math.abs(value as number) <= DRAWABLE_MAX && Number.isFinite(value));
export const count = holds<number>('a count', (value) => Number.isSafeInteger(value) && (value as number) >= 0);
/** A date or an instant: whatever is formatted later has to be one, or formatting throws. */
export const moment = holds<string>('a date', (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)));

export function oneOf<T extends string>(values: readonly T[]): Decoder<T> {
  return holds<T>(`one of ${values.join(', ')}`, (value) => (values as readonly unknown[]).includes(value));
}

export function orNull<T>(decode: Decoder<T>): Decoder<T | null> {
  return (value, path) => (value === null ? null : decode(value, path));
}

export function list<T>(decode: Decoder<T>): Decoder<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Unreadable(path, 'a list');
    // By index: an answer may hold a million numbers, and `every` with a path for each would make a million texts.
    for (let index = 0; index < value.length; index += 1) {
      try {
        decode(value[index], '');
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        decode(value[index], `${path}[${index}]`);
      }
    }
    return value as T[];
  };
}

/** One decoder for each field: a field that is added to `T` and not here does not compile. */
export type Fields<T> = { [Name in keyof T]-?: Decoder<T[Name]> };

export function object<T extends object>(fields: Fields<T>): Decoder<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, path) => {
    const found = record(value, path);
    for (const name of names) fields[name](found[name], path === '' ? name : `${path}.${name}`);
    return value as T;
  };
}

/** An object with any of `names`, each as `decode` wants it. */
export function some<Name extends string, T>(names: readonly Name[], decode: Decoder<T>): Decoder<Partial<Record<Name, T>>> {
  return (value, path) => {
    const found = record(value, path);
    for (const name of names) if (found[name] !== undefined) decode(found[name], `${path}.${name}`);
    return found as Partial<Record<Name, T>>;
  };
}

function record(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unreadable(path, 'an object');
  return value as Record<string, unknown>;
}
