import './help.css';

import { Dialog } from '../../lib/ui/Dialog';

export interface Shortcut {
  keys: readonly string[];
  does: string;
}

export interface ShortcutGroup {
  title: string;
  shortcuts: readonly Shortcut[];
}

interface HelpSheetProps {
  groups: readonly ShortcutGroup[];
  enabled: boolean;
  onEnabled: (enabled: boolean) => void;
  onClose: () => void;
}

/** Every shortcut, and a switch for those who want none. */
export function HelpSheet({ groups, enabled, onEnabled, onClose }: HelpSheetProps) {
  return (
    <Dialog title="Keyboard shortcuts" testid="help-sheet" onClose={onClose}>
      <div className="help-groups">
        {groups.map((group) => (
          <section key={group.title}>
            <h3>{group.title}</h3>
            <dl>
              {group.shortcuts.map((shortcut) => (
                <div key={shortcut.does}>
                  <dt>
                    {shortcut.keys.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{shortcut.does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label className="help-switch">
        <input
          type="checkbox"
          checked={enabled}
          onChange={(event) => {
            onEnabled(event.target.checked);
          }}
        />
        <span>Single keys work anywhere on the page</span>
      </label>
      <p className="help-gestures">
        With the mouse: wheel zooms, drag pans, double-click an axis resets it. By touch: pinch zooms, drag pans, hold to
        read a candle. Pan left past the first candle and older ones are loaded.
      </p>
    </Dialog>
  );
}
