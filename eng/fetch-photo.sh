#!/usr/bin/env bash
# Prints the path of coffee.png, a real photograph (600x400, CC0) out of Debian's package python3-skimage. The package is
# downloaded and unpacked into the user's cache, not installed; its other pictures are kept beside it, for tests.
# Ends with 1, and says why on standard error, where the package cannot be had.
set -euo pipefail
target=${XDG_CACHE_HOME:-$HOME/.cache}/segment-anything/pictures
if [ -f "$target/coffee.png" ]; then echo "$target/coffee.png"; exit 0; fi

for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || { echo "no photograph: $tool is not here (this is not Debian)" >&2; exit 1; }
done
mkdir -p "$target"
work=$(mktemp -d "$target/.fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt downloads as a user of its own
download() { (cd "$work" && apt-get download -qq python3-skimage) > "$work/log" 2>&1; }
if ! download; then
  # The package lists may be missing or old; only root may renew them.
  if ! { [ "$(id -u)" = 0 ] && apt-get update -qq > "$work/log" 2>&1 && download; }; then
    echo "no photograph: apt-get could not download python3-skimage: $(tail -n 1 "$work/log")" >&2
    exit 1
  fi
fi
dpkg-deb -x "$work"/python3-skimage_*.deb "$work/unpacked"
find "$work/unpacked" -path '*/skimage/data/*' -type f \
  \( -name '*.png' -o -name '*.jpg' -o -name '*.tif' \) ! -name coffee.png -exec mv -f -t "$target" {} +
# Last, since its presence says that the rest is there.
find "$work/unpacked" -path '*/skimage/data/coffee.png' -exec mv -f -t "$target" {} +
[ -f "$target/coffee.png" ] || { echo "no photograph: this python3-skimage holds no coffee.png" >&2; exit 1; }
echo "$target/coffee.png"
