import './notes.css';

import type { Answer } from '../../api/ohlc';
import type { Formats } from '../../lib/format';
import { marketDate, wallSeconds } from '../../lib/newYork';
import { RESOLUTION_NAMES } from '../../lib/resolution';

/** What a reader has to know about these candles, said plainly. */
export function Notes({ answer, formats }: { answer: Answer; formats: Formats }) {
  const notes: { id: string; text: string }[] = [];
  if (answer.data_until !== null) {
    const day = formats.dayLong(wallSeconds(marketDate(answer.data_until)));
    notes.push({ id: 'data-until', text: `Sample data: it ends on ${day}.` });
  }
  if (answer.synthetic) {
    notes.push({
      id: 'synthetic',
      text: 'Synthetic intraday: these candles are derived from daily ones, not recorded.',
    });
  }
  if (answer.resolution_fallback) {
    notes.push({
      id: 'fallback',
      text: answer.fallback_message ?? `Shown instead: ${RESOLUTION_NAMES[answer.resolution]} candles.`,
    });
  }
  if (notes.length === 0) return null;
  return (
    <ul className="notes" data-testid="notes">
      {notes.map((note) => (
        <li key={note.id} data-testid={`note-${note.id}`}>
          {note.text}
        </li>
      ))}
    </ul>
  );
}
