import './app.css';

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { statusQuery } from '../api/status';
import { ConnectionBanner } from '../features/connection/ConnectionBanner';
import { adjustmentRefusal, resolutionRefusal, tooMany } from '../features/controls/combinations';
import { Controls } from '../features/controls/Controls';
import { HelpSheet } from '../features/help/HelpSheet';
import { Inside } from '../features/inside/Inside';
import { Notes } from '../features/provenance/Notes';
import { noteTicker } from '../features/search/recent';
import { TickerSearch } from '../features/search/TickerSearch';
import { nextTheme, setTheme, theme } from '../features/theme/theme';
import { ThemeSwitch } from '../features/theme/ThemeSwitch';
import { formatsFor, localeOf } from '../lib/format';
import { ADJUSTMENTS, RANGES, RESOLUTION_NAMES, RESOLUTIONS } from '../lib/resolution';
import { recall, remember } from '../lib/storage';
import { useStore } from '../lib/store';
import { Icon } from '../lib/ui/Icon';
import { useMedia } from '../lib/useMedia';
import { ErrorBoundary } from './ErrorBoundary';
import { GuardedTile } from './GuardedTile';
import { type PageKeys, SHORTCUTS, useShortcuts } from './shortcuts';
import { canFillScreen, useFullScreen } from './useFullScreen';
import { useView } from './useView';
import { CHARTS_MAX, tickerOf, type View } from './view';

const formats = formatsFor(localeOf(navigator.language));

/** The page: search, controls, charts, and the cache made visible. */
export function App() {
  const [view, change] = useView();
  const [activeTicker, setActiveTicker] = useState(view.tickers[0]);
  const [adding, setAdding] = useState(false);
  const [inside, setInside] = useState(() => recall('inside') === 'open');
  const [help, setHelp] = useState(false);
  const [keysOn, setKeysOn] = useState(() => recall('keys') !== 'off');
  const search = useRef<HTMLInputElement>(null);
  const stage = useRef<HTMLElement>(null);
  const client = useQueryClient();
  const { data: status } = useQuery(statusQuery);
  const chosenTheme = useStore(theme);
  const systemIsDark = useMedia('(prefers-color-scheme: dark)');
  const [full, toggleFull] = useFullScreen(stage);

  const { tickers, span, resolution, adjust } = view;
  const active = tickers.find((ticker) => ticker === activeTicker) ?? tickers[0] ?? '';
  const several = tickers.length > 1;
  const canAdd = tickers.length < CHARTS_MAX;

  useEffect(() => {
    // The address always says everything, also when it was opened without.
    change({}, true);
  }, [change]);
  useEffect(() => {
    const over = 'range' in span ? span.range : `${span.startDate} to ${span.endDate}`;
    document.title = `${tickers.join(', ')} · ${over} · ${RESOLUTION_NAMES[resolution]} – ohlcache`;
  }, [tickers, span, resolution]);

  const showInside = useCallback((open: boolean) => {
    setInside(open);
    remember('inside', open ? 'open' : null);
  }, []);

  const chooseTicker = useCallback(
    (text: string, replacing: string) => {
      // A comma would make it two in the address.
      const ticker = tickerOf(text.replaceAll(',', ' '));
      setActiveTicker(ticker);
      if (tickers.includes(ticker)) return;
      if (adding) {
        change({ tickers: [...tickers, ticker].slice(0, CHARTS_MAX) });
        setAdding(false);
      } else change({ tickers: tickers.map((other) => (other === replacing ? ticker : other)) });
    },
    [adding, change, tickers],
  );
  const startAdding = useCallback(() => {
    if (!canAdd) return;
    setAdding(true);
    search.current?.focus();
  }, [canAdd]);
  const refresh = useCallback(() => {
    void client.invalidateQueries();
  }, [client]);

  const choose = useCallback(
    (part: Partial<View>) => {
      const next = { ...view, partial: false, ...part };
      if (resolutionRefusal(next.span, next.resolution, status) !== null) return;
      if (next.adjust !== null && adjustmentRefusal(next.resolution, next.adjust, status) !== null) next.adjust = null;
      change(next);
    },
    [change, status, view],
  );

  const keys = useMemo<PageKeys>(() => {
    const shift = (step: number) => () => {
      const next = RESOLUTIONS[RESOLUTIONS.indexOf(resolution) + step];
      if (next !== undefined) choose({ resolution: next });
    };
    const able = ADJUSTMENTS.filter((value) => adjustmentRefusal(resolution, value, status) === null);
    const ranges = RANGES.map((range, index): [string, () => void] => [
      String(index + 1),
      () => {
        if (tooMany({ range }, resolution) === null) choose({ span: { range } });
      },
    ]);
    return {
      ...Object.fromEntries(ranges),
      '/': () => search.current?.focus(),
      c: startAdding,
      '[': shift(-1),
      ']': shift(1),
      a: () => {
        choose({ adjust: able[(able.indexOf(adjust ?? able[0] ?? 'splits') + 1) % able.length] ?? null });
      },
      r: refresh,
      i: () => {
        showInside(!inside);
      },
      f: toggleFull,
      t: () => {
        setTheme(nextTheme(chosenTheme, systemIsDark));
      },
      '?': () => {
        setHelp(true);
      },
    };
  }, [adjust, choose, chosenTheme, inside, refresh, resolution, showInside, startAdding, status, systemIsDark, toggleFull]);
  useShortcuts(keys, keysOn);

  const paint = `${chosenTheme} ${String(systemIsDark)}`;
  return (
    <div className="page" data-testid="page" data-inside={inside}>
      <header className="top">
        <a className="brand" href="/" aria-label="ohlcache, start page">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          <span>ohlcache</span>
        </a>
        <TickerSearch
          input={search}
          adding={adding}
          onChoose={(ticker) => {
            chooseTicker(ticker, active);
          }}
          onLeave={() => {
            setAdding(false);
          }}
        />
        <div className="top-actions">
          <button
            type="button"
            className="icon-button with-label"
            data-testid="compare"
            aria-label="Compare with another ticker"
            title={canAdd ? 'Compare with another ticker (C)' : `${CHARTS_MAX} charts are the most this page shows`}
            aria-disabled={!canAdd}
            onClick={startAdding}
          >
            <Icon name="plus" />
            <span>Compare</span>
          </button>
          <button
            type="button"
            className="icon-button with-label"
            data-testid="inside-toggle"
            aria-label="Inside the cache"
            aria-pressed={inside}
            title="Inside the cache (I)"
            onClick={() => {
              showInside(!inside);
            }}
          >
            <Icon name="layers" />
            <span>Cache</span>
          </button>
          <ThemeSwitch />
          <button
            type="button"
            className="icon-button only-wide"
            data-testid="help"
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
            onClick={() => {
              setHelp(true);
            }}
          >
            <Icon name="help" />
          </button>
        </div>
      </header>
      {!full && <ConnectionBanner />}
      <main className="main" ref={stage} data-testid="stage" data-full={full}>
        {full && <ConnectionBanner />}
        <div className="toolbar">
          <Controls
            span={span}
            resolution={resolution}
            adjust={adjust}
            status={status}
            onRange={(range) => {
              choose({ span: { range } });
            }}
            onResolution={(value) => {
              choose({ resolution: value });
            }}
            onAdjust={(value) => {
              choose({ adjust: value });
            }}
          />
          <div className="toolbar-actions">
            <button type="button" className="icon-button" data-testid="refresh" aria-label="Refresh" title="Refresh (R)" onClick={refresh}>
              <Icon name="refresh" />
            </button>
            {canFillScreen() && (
              <button
                type="button"
                className="icon-button"
                data-testid="fullscreen"
                aria-label="Full screen"
                aria-pressed={full}
                title="Full screen (F)"
                onClick={toggleFull}
              >
                <Icon name={full ? 'shrink' : 'expand'} />
              </button>
            )}
          </div>
        </div>
        {several && status !== undefined && (
          <Notes
            dataUntil={status.data_until}
            synthetic={status.resolutions[resolution]?.synthetic === true}
            fallback={null}
            formats={formats}
          />
        )}
        <div className="tiles" data-testid="tiles" data-count={tickers.length}>
          {tickers.map((ticker, index) => (
            <GuardedTile
              key={index}
              request={{ ticker, span, resolution, adjust, partial: view.partial }}
              several={several}
              active={ticker === active}
              theme={paint}
              formats={formats}
              onKnown={noteTicker}
              onActivate={() => {
                setActiveTicker(ticker);
              }}
              onRemove={() => {
                change({ tickers: tickers.filter((other) => other !== ticker) });
              }}
              onTicker={(chosen) => {
                chooseTicker(chosen, ticker);
              }}
              onPartial={() => {
                change({ partial: true });
              }}
              onFiner={() => {
                choose({ resolution: '5' });
              }}
              onMonth={() => {
                choose({ span: { range: '1M' } });
              }}
            />
          ))}
        </div>
      </main>
      {inside && (
        <ErrorBoundary of={`${active} ${resolution}`} fallback={() => <InsideFailure />}>
          <Inside
            ticker={active}
            resolution={resolution}
            formats={formats}
            onClose={() => {
              showInside(false);
            }}
          />
        </ErrorBoundary>
      )}
      {help && (
        <HelpSheet
          groups={SHORTCUTS}
          enabled={keysOn}
          onEnabled={(on) => {
            setKeysOn(on);
            remember('keys', on ? null : 'off');
          }}
          onClose={() => {
            setHelp(false);
          }}
        />
      )}
    </div>
  );
}

function InsideFailure() {
  return (
    <aside className="inside" role="alert" data-testid="inside-failure">
      <p className="inside-quiet">This panel stopped; the charts go on. Close and open it (I) to try again.</p>
    </aside>
  );
}
