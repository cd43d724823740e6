import './notes.css';

import type { Formats } from '../../lib/format';
import { marketDate, wallSeconds } from '../../lib/newYork';

interface NotesProps {
  /** Where the source's data ends; null for a live source. */
  dataUntil: string | null;
  synthetic: boolean;
  /** Why other candles than those asked for are shown. */
  fallback: string | null;
  formats: Formats;
}

/** What a reader has to know about these candles, said plainly. */
export function Notes({ dataUntil, synthetic, fallback, formats }: NotesProps) {
  const notes: { id: string; text: string }[] = [];
  if (dataUntil !== null) {
    notes.push({ id: 'data-until', text: `Sample data: it ends on ${formats.dayLong(wallSeconds(marketDate(dataUntil)))}.` });
  }
  if (synthetic) notes.push({ id: 'synthetic', text: 'Synthetic intraday: derived from daily candles, not recorded.' });
  if (fallback !== null) notes.push({ id: 'fallback', text: fallback });
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
