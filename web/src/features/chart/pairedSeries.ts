/** Candles and their volumes: two series to the chart library, one thing to everybody else. */

import {
  type CandlestickData,
  CandlestickSeries,
  type HistogramData,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from 'lightweight-charts';

import type { Bar } from './bars';
import type { Palette } from './palette';

const VOLUME_SHARE = 0.2;

export class PairedSeries {
  readonly candles: ISeriesApi<'Candlestick'>;
  readonly #volumes: ISeriesApi<'Histogram'>;

  constructor(api: IChartApi) {
    this.candles = api.addSeries(CandlestickSeries, { priceLineVisible: false, lastValueVisible: true });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: VOLUME_SHARE + 0.04 } });
    this.#volumes = api.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      priceLineVisible: false,
      lastValueVisible: false,
    });
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 1 - VOLUME_SHARE, bottom: 0 } });
  }

  paint({ up, down }: Palette): void {
    this.candles.applyOptions({
      upColor: up,
      downColor: down,
      borderUpColor: up,
      borderDownColor: down,
      wickUpColor: up,
      wickDownColor: down,
    });
  }

  formatPrices(decimals: number, formatter: (price: number) => string): void {
    this.candles.applyOptions({ priceFormat: { type: 'custom', minMove: 10 ** -decimals, formatter } });
  }

  /**
   * Replace both. The library takes one series at a time; in between, the other one's candles have moved while what was merged
   * of them for a dense view has not, and it throws "Value is null" as soon as it looks for the one under a crosshair.
   * So the caller lifts the crosshair first (`Crosshair.lift`), and nothing may be drawn, hit or read until this returns.
   */
  fill(bars: readonly Bar[], palette: Palette): void {
    const candles: CandlestickData[] = [];
    const volumes: HistogramData[] = [];
    for (const bar of bars) {
      const time = bar.time as UTCTimestamp;
      const up = bar.close >= bar.open;
      const { open, high, low, close } = bar;
      candles.push(
        bar.forming
          ? { time, open, high, low, close, color: up ? palette.upForming : palette.downForming }
          : { time, open, high, low, close },
      );
      volumes.push({ time, value: bar.volume, color: up ? palette.upVolume : palette.downVolume });
    }
    this.candles.setData(candles);
    this.#volumes.setData(volumes);
  }
}
