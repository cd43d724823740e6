/** The page's few icons, drawn on a grid of 20 with one stroke width. */

const PATHS = {
  search: 'M9 3.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11M13 13l4 4',
  plus: 'M10 4v12M4 10h12',
  minus: 'M4 10h12',
  close: 'M5 5l10 10M15 5L5 15',
  fit: 'M3 7V3.5h3.5M17 7V3.5h-3.5M3 13v3.500h3.500M17 13v3.500h-3.500',
  expand: 'M11.500 8.500L16.500 3.500M12.500 3.500h4v4M8.500 11.500L3.500 16.500M3.500 12.500v4h4',
  shrink: 'M16.500 3.500l-5 5M11.500 4.500v4h4M3.500 16.500l5-5M4.500 11.500h4v4',
  sun: 'M10 6.500a3.500 3.500 0 1 1 0 7a3.500 3.500 0 0 1 0-7M10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.400 1.400M14.600 14.600L16 16M4 16l1.400-1.400M14.600 5.400L16 4',
  moon: 'M16.500 11.500A7 7 0 0 1 8.500 3.500a7 7 0 1 0 8 8z',
  auto: 'M10 3a7 7 0 1 1 0 14a7 7 0 0 1 0-14M10 3v14M10 6.500h5.800M10 10h7M10 13.500h5.800',
  help: 'M10 2.500a7.500 7.500 0 1 1 0 15a7.500 7.500 0 0 1 0-15M7.800 7.800a2.200 2.200 0 1 1 3.300 1.900c-.8.500-1.100.900-1.100 1.800M10 14v.1',
  layers: 'M10 3l7 3.500l-7 3.500l-7-3.500zM3 10l7 3.500l7-3.500M3 13.500L10 17l7-3.500',
  refresh: 'M16 6.500A7 7 0 1 0 17 10M16.500 3v4h-4',
  check: 'M4.500 10.500l3.500 3.500l7.500-8',
  left: 'M12 4.500L6.500 10l5.500 5.500',
  right: 'M8 4.500l5.500 5.500L8 15.500',
  clock: 'M10 2.500a7.500 7.500 0 1 1 0 15a7.500 7.500 0 0 1 0-15M10 6v4.300l2.800 1.700',
  warn: 'M10 3l7.500 13.500h-15zM10 8.500v3.500M10 14.200v.1',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 20 20"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
