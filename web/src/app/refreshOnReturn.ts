/** A tab that was hidden for five minutes or more asks anew when it is looked at again. */

export const HIDDEN_LEAST_MS = 5 * 60_000;

export function watchReturn(refresh: () => void): () => void {
  let hiddenAt: number | null = document.visibilityState === 'hidden' ? Date.now() : null;
  const onChange = (): void => {
    if (document.visibilityState === 'hidden') {
      hiddenAt ??= Date.now();
      return;
    }
    const hiddenFor = hiddenAt === null ? 0 : Date.now() - hiddenAt;
    hiddenAt = null;
    if (hiddenFor >= HIDDEN_LEAST_MS) refresh();
  };
  document.addEventListener('visibilitychange', onChange);
  return () => {
    document.removeEventListener('visibilitychange', onChange);
  };
}
