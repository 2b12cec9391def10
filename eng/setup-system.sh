#!/usr/bin/env bash
# Installs the one system library the tool and the tests read pictures with: libvips. Debian only; elsewhere it says
# what to install and goes on, since the libraries themselves do not need it.
set -euo pipefail
have_vips() { ldconfig -p 2>/dev/null | grep -q 'libvips\.so\.42'; }

if have_vips; then
  echo "libvips: installed"
elif command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "libvips: installing Debian's libvips42"
  log=$(mktemp)
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libvips42; } > "$log" 2>&1 \
    || { cat "$log" >&2; rm -f "$log"; echo "error: libvips42 could not be installed (see above)." >&2; exit 1; }
  rm -f "$log"
else
  echo "libvips: not found; pictures cannot be read until it is installed (Debian: libvips42, macOS: brew install vips)" >&2
fi
