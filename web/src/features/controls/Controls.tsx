import './controls.css';

import type { Span } from '../../api/ohlc';
import type { Status } from '../../api/status';
import {
  type Adjustment,
  ADJUSTMENT_NAMES,
  ADJUSTMENTS,
  type RangeName,
  RANGE_NAMES,
  RANGES,
  type Resolution,
  RESOLUTION_NAMES,
  RESOLUTIONS,
} from '../../lib/resolution';
import { Segmented } from '../../lib/ui/Segmented';
import { adjustmentRefusal, resolutionRefusal, tooMany } from './combinations';

const ADJUSTMENT_LABELS: Record<Adjustment, string> = { splits: 'Splits', all: 'All', none: 'None' };

interface ControlsProps {
  span: Span;
  resolution: Resolution;
  adjust: Adjustment | null;
  status: Status | undefined;
  onRange: (range: RangeName) => void;
  onResolution: (resolution: Resolution) => void;
  onAdjust: (adjust: Adjustment) => void;
}

/** Range, resolution, adjustment. */
export function Controls({ span, resolution, adjust, status, onRange, onResolution, onAdjust }: ControlsProps) {
  const shownAdjust = adjust ?? status?.resolutions[resolution]?.adjustments[0] ?? 'splits';
  return (
    <div className="controls" data-testid="controls">
      <Segmented
        label="Range"
        testid="range"
        value={'range' in span ? span.range : null}
        onChoose={onRange}
        choices={RANGES.map((value) => ({
          value,
          label: value,
          name: capital(RANGE_NAMES[value]),
          refusal: tooMany({ range: value }, resolution),
        }))}
      />
      <div className="controls-pair">
        <span className="controls-label" aria-hidden="true">
          Candles
        </span>
        <Segmented
          label="Resolution"
          testid="resolution"
          value={resolution}
          onChoose={onResolution}
          choices={RESOLUTIONS.map((value) => ({
            value,
            label: value,
            name: `${capital(RESOLUTION_NAMES[value])} candles`,
            refusal: resolutionRefusal(span, value, status),
          }))}
        />
      </div>
      <div className="controls-pair">
        <span className="controls-label" aria-hidden="true">
          Adjusted
        </span>
        <Segmented
          label="Adjustment"
          testid="adjust"
          value={shownAdjust}
          onChoose={onAdjust}
          choices={ADJUSTMENTS.map((value) => ({
            value,
            label: ADJUSTMENT_LABELS[value],
            name: capital(ADJUSTMENT_NAMES[value]),
            refusal: adjustmentRefusal(resolution, value, status),
          }))}
        />
      </div>
    </div>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
