#!/usr/bin/env bash
# Installs what native code is linked with (tests of ahead-of-time compilation, the tool's package for Linux x64): a C
# compiler and zlib. Debian only; elsewhere it says what to install and goes on, since nothing else needs them.
set -euo pipefail
missing=()
command -v gcc >/dev/null || command -v clang >/dev/null || missing+=(gcc libc6-dev)
[ -n "$(find /usr/include /usr/local/include -maxdepth 2 -name zlib.h 2>/dev/null)" ] || missing+=(zlib1g-dev)

if [ "$(uname)" != Linux ] || [ ${#missing[@]} = 0 ]; then
  echo "linker: installed"
elif command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "linker: installing Debian's ${missing[*]}"
  log=$(mktemp)
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } > "$log" 2>&1 \
    || { cat "$log" >&2; rm -f "$log"; echo "error: ${missing[*]} could not be installed (see above)." >&2; exit 1; }
  rm -f "$log"
else
  echo "linker: not found; native code cannot be made until it is installed (Debian: ${missing[*]})" >&2
fi
