import './access.css';

import { type SubmitEvent, useState } from 'react';

import { giveKey } from '../../api/accessKey';

/** Asks for the API key that the server wants. */
export function KeyBox({ refused, onSameKey }: { refused: boolean; onSameKey: () => void }) {
  const [key, setKey] = useState('');
  const [keep, setKeep] = useState(false);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (key.trim() === '') return;
    const other = giveKey(key.trim(), keep);
    setKey('');
    if (!other) onSameKey();
  };
  return (
    <form className="key-box" data-testid="key-box" onSubmit={submit}>
      <h2>This server asks for a key</h2>
      <p>{refused ? 'That key was not accepted. Check it with whoever runs the server.' : 'Enter the API key you were given.'}</p>
      <label>
        <span>API key</span>
        <input
          type="password"
          data-testid="key-input"
          autoComplete="current-password"
          value={key}
          onChange={(event) => {
            setKey(event.target.value);
          }}
        />
      </label>
      <label className="key-keep">
        <input
          type="checkbox"
          checked={keep}
          onChange={(event) => {
            setKeep(event.target.checked);
          }}
        />
        <span>Remember it in this browser</span>
      </label>
      <button type="submit" className="button button-strong">
        Continue
      </button>
    </form>
  );
}
