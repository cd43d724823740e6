import './app/base.css';

import { focusManager, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { accessKey } from './api/accessKey';
import { onRestored, watchNetwork } from './api/connection';
import { retryDelayMs, shouldRetry } from './api/retry';
import { App } from './app/App';
import { ErrorBoundary } from './app/ErrorBoundary';
import { PageFailure } from './app/PageFailure';
import { watchReturn } from './app/refreshOnReturn';

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The connection watches the network itself, and a return to the tab has its own rule.
      networkMode: 'always',
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: shouldRetry,
      retryDelay: retryDelayMs,
    },
  },
});

focusManager.setEventListener((changed) => {
  const onChange = (): void => {
    changed();
  };
  document.addEventListener('visibilitychange', onChange);
  return () => {
    document.removeEventListener('visibilitychange', onChange);
  };
});

const refresh = (): void => void client.invalidateQueries();
watchNetwork();
onRestored(refresh);
watchReturn(refresh);
accessKey.subscribe(refresh);

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id "root"');
createRoot(root).render(
  <StrictMode>
    <ErrorBoundary of="page" fallback={() => <PageFailure />}>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </ErrorBoundary>
  </StrictMode>,
);
