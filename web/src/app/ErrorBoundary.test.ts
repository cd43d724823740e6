import { describe, expect, it } from 'vitest';

import { ErrorBoundary } from './ErrorBoundary';

function boundary(of: string): ErrorBoundary {
  return new ErrorBoundary({ of, children: 'chart', fallback: () => 'failure' });
}

describe('a boundary', () => {
  it('shows what is inside until it throws, then the failure', () => {
    const made = boundary('AAPL 1Y');
    expect(made.render()).toBe('chart');
    Object.assign(made.state, ErrorBoundary.getDerivedStateFromError());
    expect(made.render()).toBe('failure');
  });

  it('tries once more when something else is inside, and only then', () => {
    const failed = { failed: true, of: 'AAPL 1Y' };
    expect(ErrorBoundary.getDerivedStateFromProps(boundary('AAPL 1Y').props, failed)).toBeNull();
    expect(ErrorBoundary.getDerivedStateFromProps(boundary('AAPL 5Y').props, failed)).toEqual({ failed: false, of: 'AAPL 5Y' });
  });
});
