/** A chart works outside React too: in the library's events, in frames, in a neighbour's step. What throws there ends here. */

export type OnFailure = (error: Error) => void;

/** `run` for a caller that could do nothing about an error, and might be stopped half-way by it. */
export function safely<Arguments extends unknown[]>(
  run: (...given: Arguments) => void,
  onFailure: OnFailure,
): (...given: Arguments) => void {
  return (...given) => {
    try {
      run(...given);
    } catch (error) {
      onFailure(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
