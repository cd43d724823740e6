/** The chart itself: lightweight-charts with candles and volume, zoomed and panned by hand, key or code. */

import { ColorType, createChart, CrosshairMode, type IChartApi, LineStyle, TickMarkType, type Time } from 'lightweight-charts';

import type { Formats } from '../../lib/format';
import type { Store } from '../../lib/store';
import { type Bar, type Bars, barsOf, indexAt } from './bars';
import { Crosshair } from './crosshair';
import { Glide, type LogicalRange } from './glide';
import { PairedSeries } from './pairedSeries';
import { type Palette, readPalette } from './palette';
import { type OnFailure, safely } from './safely';

const FONT = "'Inter Variable', system-ui, sans-serif";
const CANDLES_VISIBLE_LEAST = 5;
/** Older candles are asked for when fewer than this many screens are left of the view. */
const OLDER_WITHIN_SCREENS = 0.25;
const EDGE_BARS = 0.5;
/** Room left and right of everything: an axis label is centred on its candle. */
const EDGE_PX = 20;
const PRICE_AXIS_PX = 64;
/** A fling goes on for a moment after the finger has left. */
const HAND_LINGERS_MS = 1000;
const HAND_EVENTS = ['wheel', 'pointerdown', 'pointermove', 'touchmove'] as const;

export interface ChartListener {
  /** The reader moved the view; `fromEnd` counts bars from the newest one, so charts of unequal length stay in step. */
  onView(range: LogicalRange, barsCount: number): void;
  onHover(time: number | null): void;
  onOlderWanted(): void;
  /** What the chart does by itself, in an event or a frame, has thrown. */
  onFailure: OnFailure;
}

export class CandleChart {
  readonly api: IChartApi;

  readonly #series: PairedSeries;
  readonly #crosshair: Crosshair;
  readonly #glide: Glide;
  #data: Bars = barsOf([]);
  #palette: Palette;
  /** Until when a change of the view is the reader's own doing; the library reports every change alike. */
  #drivenUntil = 0;
  #lastRange: LogicalRange | null = null;
  /** While candles are replaced the library reports views of half of them. */
  #filling = false;

  constructor(
    private readonly container: HTMLElement,
    private readonly formats: Formats,
    private readonly listener: ChartListener,
  ) {
    this.#palette = readPalette(container);
    // The size at once, not when the observer first calls: the view is set before that.
    const { clientWidth: width, clientHeight: height } = container;
    this.api = createChart(container, { ...this.#options(), width, height });
    this.#series = new PairedSeries(this.api);
    this.#crosshair = new Crosshair(this.api, this.#series.candles, () => this.#data.bars, listener);
    this.#glide = new Glide(
      safely((range) => {
        this.#setRange(range);
      }, listener.onFailure),
      (is) => {
        container.dataset['animating'] = String(is);
      },
    );
    this.#series.paint(this.#palette);
    this.api.subscribeCrosshairMove(safely(this.#crosshair.moved, listener.onFailure));
    this.api.timeScale().subscribeVisibleLogicalRangeChange(safely(this.#onRange, listener.onFailure));
    container.dataset['animating'] = 'false';
    for (const event of HAND_EVENTS) {
      container.addEventListener(event, this.#onHand, { passive: true });
    }
  }

  destroy(): void {
    this.#glide.stop();
    this.#crosshair.destroy();
    for (const event of HAND_EVENTS) {
      this.container.removeEventListener(event, this.#onHand);
    }
    this.api.remove();
  }

  /** The bar under the crosshair, null when there is none. */
  get hovered(): Store<Bar | null> {
    return this.#crosshair.hovered;
  }

  get bars(): readonly Bar[] {
    return this.#data.bars;
  }

  /** Show `data`; `fit` puts all of it on screen, otherwise the view stays where it is. */
  show(data: Bars, fit: boolean): void {
    const before = this.#data;
    const { target } = this.#glide;
    const toEverything = target !== null && target.from === this.#everything().from;
    this.#data = data;
    if (fit) this.#glide.stop();
    else if (toEverything) this.reset();
    else this.#glide.shift(Math.max(0, indexAt(data.bars, before.bars[0]?.time ?? NaN)));
    this.#drivenUntil = 0;
    this.#fill(() => {
      this.api.applyOptions({ timeScale: { timeVisible: data.intraday } });
      this.#series.formatPrices(data.decimals, this.#price);
    });
    if (fit || before.bars.length === 0) this.#setRange(this.#everything());
    this.container.dataset['candles'] = String(data.bars.length);
  }

  /** Draw anew with the style sheet's colours of now. */
  repaint(): void {
    this.#palette = readPalette(this.container);
    this.#fill(() => {
      this.api.applyOptions(this.#options());
      this.#series.paint(this.#palette);
    });
  }

  /** Whether the chart can be drawn at this moment: it is drawn once, off screen. */
  draws(): boolean {
    try {
      this.api.applyOptions({});
      this.api.takeScreenshot(true, true);
      return true;
    } catch {
      return false;
    }
  }

  /** Let the library measure its text again, once the typeface is there. */
  remeasure(): void {
    this.api.applyOptions({ layout: { fontFamily: `${FONT}, serif` } });
    this.api.applyOptions({ layout: { fontFamily: FONT } });
  }

  /** Zoom about the middle of the view: `factor` 0.5 shows half as many candles. */
  zoom(factor: number): void {
    const range = this.#glide.target ?? this.#range();
    if (range === null) return;
    const anchor = this.hovered.get() === null ? (range.from + range.to) / 2 : this.#hoveredIndex();
    const all = this.#everything();
    const width = Math.max(CANDLES_VISIBLE_LEAST, Math.min((range.to - range.from) * factor, (all.to - all.from) * 1.5));
    const left = (anchor - range.from) / (range.to - range.from);
    this.#glideTo({ from: anchor - width * left, to: anchor + width * (1 - left) });
  }

  /** Pan by a share of the view: -0.25 shows older candles. */
  pan(share: number): void {
    const range = this.#glide.target ?? this.#range();
    if (range === null) return;
    const shift = (range.to - range.from) * share;
    const last = this.#data.bars.length - 1 + EDGE_BARS;
    const bounded = Math.min(shift, Math.max(0, last - range.to));
    this.#glideTo({ from: range.from + bounded, to: range.to + bounded });
  }

  /** Everything on screen again. */
  reset(): void {
    this.#glideTo(this.#everything());
  }

  /** Move the crosshair by whole candles, scrolling when it leaves the view. */
  step(candles: number): void {
    const { bars } = this.#data;
    if (bars.length === 0) return;
    const range = this.#range();
    const last = Math.min(bars.length - 1, Math.floor(range?.to ?? bars.length - 1));
    const from = this.hovered.get() === null ? last - Math.min(0, candles) : this.#hoveredIndex();
    const index = Math.max(0, Math.min(bars.length - 1, from + candles));
    const time = bars[index]?.time ?? null;
    this.point(time);
    this.listener.onHover(time);
    if (range === null) return;
    if (index < range.from + 1) this.#glideTo({ from: index - 1, to: index - 1 + (range.to - range.from) });
    if (index > range.to - 1) this.#glideTo({ from: index + 1 - (range.to - range.from), to: index + 1 });
  }

  /** Put the crosshair on the candle at `time`; null takes it away. */
  point(time: number | null): void {
    this.#crosshair.point(time);
  }

  /** Follow another chart's view, counted from the newest candle. */
  follow(range: LogicalRange, itsBars: number): void {
    const shift = this.#data.bars.length - itsBars;
    const followed = { from: range.from + shift, to: range.to + shift };
    this.#drivenUntil = 0;
    this.#setRange(followed);
    this.#askForOlder(followed, this.#lastRange);
    this.#lastRange = followed;
  }

  readonly #onHand = (event: Event): void => {
    if (event.type === 'pointermove' && (event as PointerEvent).buttons === 0) return;
    this.#drivenUntil = performance.now() + HAND_LINGERS_MS;
    if (event.type === 'wheel' || event.type === 'pointerdown') this.#glide.stop();
  };

  /** No price is below zero; the axis is where the volume has its room. */
  readonly #price = (value: number): string => (value < 0 ? '' : this.formats.price(value, this.#data.decimals));

  readonly #onRange = (range: LogicalRange | null): void => {
    if (range === null || this.#filling) return;
    this.container.dataset['from'] = range.from.toFixed(2);
    this.container.dataset['to'] = range.to.toFixed(2);
    const last = this.#lastRange;
    this.#lastRange = range;
    const { start, target } = this.#glide;
    if (target === null && performance.now() > this.#drivenUntil) return;
    this.listener.onView(range, this.#data.bars.length);
    // A glide is judged as a whole: its last steps are small, whatever it does.
    if (target === null) this.#askForOlder(range, last);
    else this.#askForOlder(target, start);
  };

  /** Older candles cost a vendor call: only a view that leaves the first candle behind, or pans towards it, asks. */
  #askForOlder(range: LogicalRange, last: LogicalRange | null): void {
    if (this.#data.bars.length === 0) return;
    const width = range.to - range.from;
    const panned = last !== null && range.from < last.from && Math.abs(last.to - last.from - width) < width * 0.01;
    const edge = panned ? width * OLDER_WITHIN_SCREENS : this.#everything().from - 1;
    if (range.from < edge) this.listener.onOlderWanted();
  }

  /** All candles, with room for the labels at both ends; a few candles stand in the middle. */
  #everything(): LogicalRange {
    const last = this.#data.bars.length - 1;
    const span = Math.max(CANDLES_VISIBLE_LEAST, last);
    const width = Math.max(EDGE_PX * 4, this.container.clientWidth - PRICE_AXIS_PX);
    const edge = EDGE_BARS + (span * EDGE_PX) / width + (span - last) / 2;
    return { from: -edge, to: last + edge };
  }

  #range(): LogicalRange | null {
    return this.api.timeScale().getVisibleLogicalRange();
  }

  #setRange(range: LogicalRange): void {
    this.api.timeScale().setVisibleLogicalRange({ from: range.from, to: range.to });
  }

  #glideTo(end: LogicalRange): void {
    const start = this.#range();
    if (start === null) return;
    this.#glide.to(start, end);
    // Against the end of all candles the view may not move at all, and then nothing else would ask.
    this.#askForOlder(end, start);
  }

  #hoveredIndex(): number {
    return indexAt(this.#data.bars, this.hovered.get()?.time ?? NaN);
  }

  /** Everything that changes with the candles, in one step for whatever looks at the chart. */
  #fill(restyle: () => void): void {
    this.#filling = true;
    this.#crosshair.lift();
    try {
      restyle();
      this.#series.fill(this.#data.bars, this.#palette);
    } finally {
      this.#filling = false;
    }
    this.#onRange(this.#range());
    this.#crosshair.lower();
  }

  #options() {
    const colours = this.#palette;
    const line = { color: colours.quiet, style: LineStyle.Dashed, width: 1, labelBackgroundColor: colours.label } as const;
    return {
      autoSize: true,
      layout: {
        background: { type: ColorType.Solid, color: colours.surface } as const,
        textColor: colours.quiet,
        fontFamily: FONT,
        fontSize: 12,
        attributionLogo: true,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colours.line } },
      crosshair: { mode: CrosshairMode.Magnet, vertLine: line, horzLine: line },
      rightPriceScale: { borderVisible: false, minimumWidth: PRICE_AXIS_PX, entireTextOnly: true },
      timeScale: {
        borderColor: colours.line,
        rightOffset: 0,
        minBarSpacing: 0.001,
        lockVisibleTimeRangeOnResize: true,
        enableConflation: true,
        secondsVisible: false,
        tickMarkFormatter: this.#tick,
      },
      localization: { locale: this.formats.locale, timeFormatter: this.#time },
      kineticScroll: { mouse: false, touch: true },
    };
  }

  readonly #time = (time: Time): string => {
    const seconds = time as number;
    return this.#data.intraday
      ? `${this.formats.day(seconds)} ${this.formats.time(seconds)}`
      : this.formats.day(seconds);
  };

  readonly #tick = (time: Time, type: TickMarkType): string => {
    const seconds = time as number;
    switch (type) {
      case TickMarkType.Year:
        return String(new Date(seconds * 1000).getUTCFullYear());
      case TickMarkType.Month:
        return this.formats.monthShort(seconds);
      case TickMarkType.DayOfMonth:
        return this.formats.dayShort(seconds);
      case TickMarkType.Time:
      case TickMarkType.TimeWithSeconds:
        return this.formats.time(seconds);
    }
  };
}
