import './segmented.css';

import { useId, useRef, useState } from 'react';

export interface Choice<T extends string> {
  value: T;
  label: string;
  /** The label in full: the tooltip, and what a screen reader adds. */
  name: string;
  /** Why it cannot be chosen now; null when it can. */
  refusal: string | null;
}

interface SegmentedProps<T extends string> {
  label: string;
  testid: string;
  value: T | null;
  choices: readonly Choice<T>[];
  onChoose: (value: T) => void;
}

/** One choice of several. What cannot be chosen stays in place and says why when it is pointed at or tried. */
export function Segmented<T extends string>({ label, testid, value, choices, onChoose }: SegmentedProps<T>) {
  const [explained, setExplained] = useState<T | null>(null);
  const hint = useId();
  const group = useRef<HTMLDivElement>(null);
  const refusal = choices.find((choice) => choice.value === explained)?.refusal ?? null;
  return (
    <div className="segmented" role="group" aria-label={label} data-testid={testid} ref={group}>
      {choices.map((choice) => {
        const refused = choice.refusal !== null;
        const explain = (): void => {
          setExplained(refused ? choice.value : null);
        };
        return (
          <button
            key={choice.value}
            type="button"
            data-testid={`${testid}-${choice.value}`}
            aria-pressed={choice.value === value}
            aria-disabled={refused}
            aria-describedby={refused && explained === choice.value ? hint : undefined}
            title={refused ? undefined : choice.name}
            onPointerEnter={explain}
            onPointerLeave={() => {
              setExplained(null);
            }}
            onFocus={explain}
            onBlur={() => {
              setExplained(null);
            }}
            onClick={() => {
              if (refused) setExplained(choice.value);
              else onChoose(choice.value);
            }}
          >
            {choice.label}
          </button>
        );
      })}
      <span className="segmented-hint" id={hint} role="status" data-testid={`${testid}-hint`} hidden={refusal === null}>
        {refusal}
      </span>
    </div>
  );
}
