import { Component, type ReactNode } from 'react';

interface ErrorBoundaryProps {
  children: ReactNode;
  /** Names what is inside; another name is another try. */
  of: string;
  /** What stands in the place of what threw; `again` tries it once more. */
  fallback: (again: () => void) => ReactNode;
}

interface ErrorBoundaryState {
  failed: boolean;
  of: string;
}

/** Where a failure ends: what threw is replaced by `fallback`, and everything round it stands. React logs the error. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, ErrorBoundaryState> {
  override state: ErrorBoundaryState = { failed: false, of: this.props.of };

  static getDerivedStateFromError(): Partial<ErrorBoundaryState> {
    return { failed: true };
  }

  static getDerivedStateFromProps({ of }: ErrorBoundaryProps, state: ErrorBoundaryState): ErrorBoundaryState | null {
    return of === state.of ? null : { failed: false, of };
  }

  readonly again = (): void => {
    this.setState({ failed: false });
  };

  override render(): ReactNode {
    return this.state.failed ? this.props.fallback(this.again) : this.props.children;
  }
}
