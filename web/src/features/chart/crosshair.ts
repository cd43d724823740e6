/** Where the crosshair is, and why: under the pointer, on a candle that a key or another chart chose, or nowhere. */

import type { IChartApi, ISeriesApi, MouseEventParams, UTCTimestamp } from 'lightweight-charts';

import { createStore, type Store } from '../../lib/store';
import { type Bar, indexAt } from './bars';
import { type OnFailure, safely } from './safely';

export interface CrosshairListener {
  onHover(time: number | null): void;
  onFailure: OnFailure;
}

export class Crosshair {
  /** The bar under the crosshair, null when there is none. */
  readonly hovered: Store<Bar | null> = createStore<Bar | null>(null);
  /** Where the pointer is, in the library's pixels; null when it is elsewhere, or when a candle was chosen since. */
  #pointerX: number | null = null;
  /** From `lift` until the view has moved: a place in pixels is of the view before. */
  #lifted = false;
  #frame = 0;

  constructor(
    private readonly api: IChartApi,
    private readonly series: ISeriesApi<'Candlestick'>,
    private readonly bars: () => readonly Bar[],
    private readonly listener: CrosshairListener,
  ) {}

  /** What the library reports: pointer or finger, that it left, or that candles moved under the crosshair. */
  readonly moved = (event: MouseEventParams): void => {
    const { point, sourceEvent } = event;
    if (this.#lifted && sourceEvent === undefined && point !== undefined) return;
    const bar = event.time === undefined ? null : this.#barAt(event.time as number);
    if (point === undefined) this.#pointerX = null;
    else if (sourceEvent !== undefined) this.#pointerX = point.x;
    this.hovered.set(bar);
    // A crosshair that was put here by another chart has nothing to say to the others.
    if (point === undefined || this.#pointerX !== null) this.listener.onHover(bar?.time ?? null);
  };

  /** Put the crosshair on the candle at `time`; null takes it away. */
  point(time: number | null): void {
    this.#pointerX = null;
    const bar = time === null ? null : this.#barAt(time);
    if (this.#lifted) this.hovered.set(bar);
    else this.#place(bar);
  }

  /** Take the crosshair off while candles are replaced, until `lower`. */
  lift(): void {
    this.#lifted = true;
    this.api.clearCrosshairPosition();
  }

  /** Put the crosshair back: under a pointer that rests on the chart, else on the candle that it was on. */
  lower(): void {
    cancelAnimationFrame(this.#frame);
    // The library moves the view in its next frame, which was asked for before this one.
    this.#frame = requestAnimationFrame(safely(this.#restore, this.listener.onFailure));
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
  }

  readonly #restore = (): void => {
    this.#lifted = false;
    if (this.#pointerX === null) {
      this.#place(this.#barAt(this.hovered.get()?.time ?? NaN));
      return;
    }
    this.#place(this.#barUnder(this.#pointerX));
    this.listener.onHover(this.hovered.get()?.time ?? null);
  };

  #place(bar: Bar | null): void {
    // Without a candle in view the library has no height for the crosshair, and throws.
    if (bar === null || this.series.priceToCoordinate(bar.close) === null) this.api.clearCrosshairPosition();
    else this.api.setCrosshairPosition(bar.close, bar.time as UTCTimestamp, this.series);
    this.hovered.set(bar);
  }

  #barAt(time: number): Bar | null {
    const bars = this.bars();
    return bars[indexAt(bars, time)] ?? null;
  }

  #barUnder(x: number): Bar | null {
    const bars = this.bars();
    const logical = this.api.timeScale().coordinateToLogical(x);
    return logical === null ? null : (bars[Math.max(0, Math.min(bars.length - 1, Math.round(logical)))] ?? null);
  }
}
