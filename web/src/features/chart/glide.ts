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
  #target: LogicalRange | null = null;

  constructor(
    private readonly apply: (range: LogicalRange) => void,
    private readonly moving: (is: boolean) => void,
  ) {}

  /** Where the range is going, so that a second key press adds to the first. */
  get target(): LogicalRange | null {
    return this.#target;
  }

  to(start: LogicalRange, end: LogicalRange): void {
    cancelAnimationFrame(this.#frame);
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.#finish(end);
      return;
    }
    this.#target = end;
    this.moving(true);
    let began: number | null = null;
    const step = (now: number): void => {
      began ??= now;
      const elapsed = now - began;
      if (elapsed >= GLIDE_MS) {
        this.#finish(end);
        return;
      }
      this.apply(glideAt(start, end, elapsed));
      this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    if (this.#target !== null) this.moving(false);
    this.#target = null;
  }

  #finish(end: LogicalRange): void {
    this.#target = end;
    this.apply(end);
    // The chart tells of the last move in the next frame; until then it still is this glide's.
    this.#frame = requestAnimationFrame(() => {
      this.#frame = requestAnimationFrame(() => {
        this.#target = null;
        this.moving(false);
      });
    });
  }
}
