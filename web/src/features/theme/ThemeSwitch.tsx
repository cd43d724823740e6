import { useStore } from '../../lib/store';
import { useMedia } from '../../lib/useMedia';
import { Icon } from '../../lib/ui/Icon';
import { nextTheme, setTheme, theme } from './theme';

/** Turns light into dark and back. */
export function ThemeSwitch() {
  const now = useStore(theme);
  const systemIsDark = useMedia('(prefers-color-scheme: dark)');
  const dark = now === 'system' ? systemIsDark : now === 'dark';
  const label = dark ? 'Switch to light' : 'Switch to dark';
  return (
    <button
      type="button"
      className="icon-button"
      data-testid="theme"
      aria-label={label}
      title={`${label} (T)`}
      onClick={() => {
        setTheme(nextTheme(now, systemIsDark));
      }}
    >
      <Icon name={dark ? 'sun' : 'moon'} />
    </button>
  );
}
