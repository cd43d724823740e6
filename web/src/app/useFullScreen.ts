import { type RefObject, useCallback, useSyncExternalStore } from 'react';

function subscribe(listener: () => void): () => void {
  document.addEventListener('fullscreenchange', listener);
  return () => {
    document.removeEventListener('fullscreenchange', listener);
  };
}

/** Whether something fills the screen, and a switch for `element`. */
export function useFullScreen(element: RefObject<HTMLElement | null>): [boolean, () => void] {
  const on = useSyncExternalStore(subscribe, () => document.fullscreenElement !== null);
  const toggle = useCallback(() => {
    const asked = document.fullscreenElement === null ? element.current?.requestFullscreen() : document.exitFullscreen();
    // A browser may refuse (no gesture, or a phone that cannot): the page stays as it is.
    asked?.catch(() => undefined);
  }, [element]);
  return [on, toggle];
}
