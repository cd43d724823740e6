/**
 * Moves the visible range from where it is to where it should be, in a fixed time and along a fixed curve, so that the
 * last frame is exact whatever the frame rate was. Readers who ask for less motion get there at once.
 */

export interface LogicalRange {
  from: number;
  to: number;
}

export const GLIDE_MS = 220;

/** Where a glide is after `elapsedMs`: eased out, exact at the end. */
export function glideAt(start: LogicalRange, end: LogicalRange, elapsedMs: number): LogicalRange {
  const part = Math.min(1, Math.max(0, elapsedMs / GLIDE_MS));
  if (part === 1) return end;
  const eased = 1 - (1 - part) ** 3;
  return { from: start.from + (end.from - start.from) * eased, to: start.to + (end.to - start.to) * eased };
}

export class Glide {
  #frame = 0;
  #start: LogicalRange | null = null;
  #target: LogicalRange | null = null;

  constructor(
    private readonly apply: (range: LogicalRange) => void,
    private readonly moving: (is: boolean) => void,
  ) {}

  get start(): LogicalRange | null {
    return this.#start;
  }

  /** Where the range is going, so that a second key press adds to the first. */
  get target(): LogicalRange | null {
    return this.#target;
  }

  to(start: LogicalRange, end: LogicalRange): void {
    cancelAnimationFrame(this.#frame);
    this.#start = start;
    this.#target = end;
    this.moving(true);
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const began = performance.now() - (still ? GLIDE_MS : 0);
    const step = (): void => {
      if (this.#start === null || this.#target === null) return;
      const elapsed = performance.now() - began;
      this.apply(glideAt(this.#start, this.#target, elapsed));
      if (elapsed >= GLIDE_MS) this.#finish();
      else this.#frame = requestAnimationFrame(step);
    };
    if (still) step();
    else this.#frame = requestAnimationFrame(step);
  }

  /** Candles were put before the others: the same view has other numbers now. */
  shift(by: number): void {
    if (this.#start === null || this.#target === null) return;
    this.#start = { from: this.#start.from + by, to: this.#start.to + by };
    this.#target = { from: this.#target.from + by, to: this.#target.to + by };
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    if (this.#target !== null) this.moving(false);
    this.#start = null;
    this.#target = null;
  }

  #finish(): void {
    // The chart tells of the last move in the next frame; until then it still is this glide's.
    this.#frame = requestAnimationFrame(() => {
      this.#frame = requestAnimationFrame(() => {
        this.stop();
      });
    });
  }
}
