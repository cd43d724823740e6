/** The chart's colours, read from the style sheet so that there is one place that names them. */

export interface Palette {
  surface: string;
  ink: string;
  quiet: string;
  line: string;
  up: string;
  down: string;
  upVolume: string;
  downVolume: string;
  upForming: string;
  downForming: string;
  label: string;
}

export function readPalette(element: HTMLElement): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    surface: colour('surface'),
    ink: colour('ink'),
    quiet: colour('ink-quiet'),
    line: colour('grid'),
    up: colour('up'),
    down: colour('down'),
    upVolume: colour('up-volume'),
    downVolume: colour('down-volume'),
    upForming: colour('up-forming'),
    downForming: colour('down-forming'),
    label: colour('crosshair-label'),
  };
}
