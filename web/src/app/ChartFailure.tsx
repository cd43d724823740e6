import './tile.css';
import './trouble.css';

import { Icon } from '../lib/ui/Icon';

interface ChartFailureProps {
  ticker: string;
  /** One of several charts on the page. */
  several: boolean;
  onRetry: () => void;
  onRemove: () => void;
}

/** In the place of a chart that threw: that it stopped, and a way on. */
export function ChartFailure({ ticker, several, onRetry, onRemove }: ChartFailureProps) {
  return (
    <article className="tile" data-testid={`tile-${ticker}`} aria-label={ticker}>
      <div className="tile-head">
        <div className="headline">
          <h1>
            <span data-testid="ticker">{ticker}</span>
          </h1>
        </div>
        {several && (
          <button type="button" className="icon-button tile-remove" aria-label={`Remove ${ticker}`} data-testid={`remove-${ticker}`} onClick={onRemove}>
            <Icon name="close" size={16} />
          </button>
        )}
      </div>
      <div className="tile-chart">
        <div className="trouble" role="alert" data-testid="trouble" data-code="chart_failed">
          <h2>This chart stopped.</h2>
          <p>Something failed on this page while it drew {ticker}. Please try again, or choose another range.</p>
          <div className="trouble-actions">
            <button type="button" className="button button-strong" data-testid="retry" onClick={onRetry}>
              Try now
            </button>
          </div>
        </div>
      </div>
    </article>
  );
}
