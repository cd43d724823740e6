import './connection.css';

import { connection, probe } from '../../api/connection';
import { useStore } from '../../lib/store';
import { Icon } from '../../lib/ui/Icon';

/** Says when the server cannot be heard, keeps trying, and says when it is back. */
export function ConnectionBanner() {
  const state = useStore(connection);
  const lost = state === 'offline' || state === 'unreachable';
  return (
    <div className="connection" role="status" data-testid="connection" data-state={state}>
      {lost && (
        <p>
          <Icon name="warn" />
          <span>
            <strong>{state === 'offline' ? 'You are offline.' : 'The server does not answer.'}</strong> What is on
            screen stays; the page keeps trying.
          </span>
          <button type="button" className="button" data-testid="retry-connection" onClick={() => void probe()}>
            Try now
          </button>
        </p>
      )}
      {state === 'restored' && (
        <p data-good>
          <Icon name="check" />
          <strong>Back online.</strong>
        </p>
      )}
    </div>
  );
}
