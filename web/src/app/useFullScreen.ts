import { type RefObject, useCallback, useSyncExternalStore } from 'react';

function subscribe(listener: () => void): () => void {
  document.addEventListener('fullscreenchange', listener);
  return () => {
    document.removeEventListener('fullscreenchange', listener);
  };
}

/** Whether the browser can at all: telephones of one maker fill the screen with videos only. */
export function canFillScreen(): boolean {
  return document.fullscreenEnabled;
}

/** Whether something fills the screen, and a switch for `element`. */
export function useFullScreen(element: RefObject<HTMLElement | null>): [boolean, () => void] {
  const on = useSyncExternalStore(subscribe, () => document.fullscreenElement !== null);
  const toggle = useCallback(() => {
    if (!canFillScreen()) return;
    const asked = document.fullscreenElement === null ? element.current?.requestFullscreen() : document.exitFullscreen();
    // A browser may refuse (no gesture, or a phone that cannot): the page stays as it is.
    asked?.catch(() => undefined);
  }, [element]);
  return [on, toggle];
}
