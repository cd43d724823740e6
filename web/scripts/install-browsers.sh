#!/bin/sh
# Installs what the page's end-to-end tests drive: Chromium, Firefox ESR and WebKitGTK from the distribution.
set -eu

packages="chromium firefox-esr webkit2gtk-driver xvfb python3-gi gir1.2-gtk-3.0 gir1.2-webkit2-4.1 fonts-liberation"

if ! command -v apt-get >/dev/null 2>&1; then
  echo "This script knows Debian and Ubuntu only. Elsewhere install Chromium, Firefox ESR, WebKitGTK 2.4x with its" >&2
  echo "GObject bindings (WebKit2 4.1, GTK 3), Xvfb and a sans-serif font, or run: npx playwright install" >&2
  exit 1
fi

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo "All browsers are installed."
  exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1; then
  as_root="sudo"
else
  echo "Installing$missing needs root, and there is no sudo here. As root, run:" >&2
  echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

$as_root apt-get -o DPkg::Lock::Timeout=300 update -q
# The names are a list on purpose.
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends $missing
