import './search.css';

import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, type RefObject, useDeferredValue, useId, useState } from 'react';

import { tickersQuery } from '../../api/tickers';
import { Icon } from '../../lib/ui/Icon';
import { meantTicker } from './meant';
import { recentTickers } from './recent';
import { suggest } from './suggest';

interface TickerSearchProps {
  /** Whether the choice is added beside the charts on screen instead of replacing one. */
  adding: boolean;
  input: RefObject<HTMLInputElement | null>;
  onChoose: (ticker: string) => void;
  onLeave: () => void;
}

/** The ticker box: suggestions from the source and recent tickers; anything else may be typed too. */
export function TickerSearch({ adding, input, onChoose, onLeave }: TickerSearchProps) {
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const list = useId();
  const asked = useDeferredValue(text.trim());
  const { data, isPlaceholderData } = useQuery({ ...tickersQuery(asked), enabled: open });
  const typed = text.trim();
  const answered = !isPlaceholderData && asked === typed;
  const suggestions = open ? suggest(typed, data ?? [], recentTickers(), answered) : [];

  const close = (): void => {
    setOpen(false);
    setActive(-1);
    setText('');
    onLeave();
  };
  const choose = (ticker: string): void => {
    if (ticker === '') return;
    onChoose(ticker);
    close();
    input.current?.blur();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { length } = suggestions;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setOpen(true);
      if (length > 0) setActive((active + (event.key === 'ArrowDown' ? 1 : active < 0 ? length : length - 1)) % length);
    } else if (event.key === 'Enter') {
      choose(suggestions[active]?.ticker ?? meantTicker(text, suggestions));
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      close();
      input.current?.blur();
    }
  };

  return (
    <div className="search" data-adding={adding}>
      <Icon name={adding ? 'plus' : 'search'} />
      <input
        ref={input}
        data-testid="ticker-input"
        role="combobox"
        aria-label={adding ? 'Add a ticker to compare' : 'Ticker'}
        aria-expanded={suggestions.length > 0}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={active >= 0 ? `${list}-${active}` : undefined}
        placeholder={adding ? 'Compare with…' : 'Ticker or company'}
        autoComplete="off"
        autoCapitalize="characters"
        autoCorrect="off"
        spellCheck={false}
        enterKeyHint="go"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setOpen(true);
          setActive(-1);
        }}
        onFocus={() => {
          setOpen(true);
        }}
        onBlur={() => {
          // The window lost the focus, not the field: what was typed is still wanted.
          if (document.activeElement !== input.current) close();
        }}
        onKeyDown={onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
      <ul
        id={list}
        role="listbox"
        aria-label="Suggestions"
        className="search-list"
        data-testid="suggestions"
        hidden={suggestions.length === 0}
      >
        {suggestions.map((suggestion, index) => (
          <li
            key={suggestion.ticker}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === active}
            data-testid={`suggestion-${suggestion.ticker}`}
            onPointerDown={(event) => {
              event.preventDefault();
            }}
            onPointerEnter={() => {
              setActive(index);
            }}
            onClick={() => {
              choose(suggestion.ticker);
            }}
          >
            <strong>{suggestion.ticker}</strong>
            <span>{suggestion.name}</span>
            {suggestion.recent && <Icon name="clock" size={16} />}
          </li>
        ))}
      </ul>
    </div>
  );
}
