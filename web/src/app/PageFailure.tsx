import './trouble.css';

/** In the place of the page, should it throw outside a chart: nothing of it can be trusted, so it is loaded anew. */
export function PageFailure() {
  return (
    <main className="page-failure trouble" role="alert" data-testid="page-failure">
      <h1>This page stopped.</h1>
      <p>Something failed in the page itself; the server and what it holds are not affected.</p>
      <div className="trouble-actions">
        <button
          type="button"
          className="button button-strong"
          data-testid="reload"
          onClick={() => {
            location.reload();
          }}
        >
          Reload
        </button>
        <a className="button" href="/">
          Start page
        </a>
      </div>
    </main>
  );
}
