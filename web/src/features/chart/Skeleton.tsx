/** Candles to come: shown once, before the first answer. */

const HEIGHTS = [34, 46, 40, 55, 48, 62, 58, 44, 52, 66, 60, 72, 64, 58, 70, 78, 69, 74, 62, 68, 80, 73, 84, 76];

export function Skeleton() {
  return (
    <div className="skeleton" data-testid="skeleton" role="status" aria-label="Loading candles">
      {HEIGHTS.map((height, index) => (
        <i key={index} style={{ blockSize: `${14 + (height % 7) * 3}%`, marginBlockEnd: `${(height - 28) / 3}%` }} />
      ))}
    </div>
  );
}
