import { useQueryClient } from '@tanstack/react-query';

import { ohlcPath, startAnew } from '../api/ohlc';
import { ChartFailure } from './ChartFailure';
import { ErrorBoundary } from './ErrorBoundary';
import { Tile, type TileProps } from './Tile';

/** A chart within its boundary: should it throw, a panel with a retry takes its place, and another range is another try. */
export function GuardedTile(props: TileProps) {
  const { request, several, onRemove } = props;
  const client = useQueryClient();
  return (
    <ErrorBoundary
      of={ohlcPath(request)}
      fallback={(again) => (
        <ChartFailure
          ticker={request.ticker}
          several={several}
          onRemove={onRemove}
          onRetry={() => {
            startAnew(client, request);
            again();
          }}
        />
      )}
    >
      <Tile {...props} />
    </ErrorBoundary>
  );
}
