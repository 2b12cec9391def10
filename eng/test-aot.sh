#!/usr/bin/env bash
# Publishes tests/SegmentAnything.AotSmoke as native code, fails on any warning about our own code, and runs the program: with
# ONNX Runtime's native library beside it, and without, when not a file of it may be left. Then publishes it, still without, for
# systems that ONNX Runtime has no library for or that are not here: these programs are not run.
# Needs MobileSAM in the model store (eng/setup-models.sh) and a linker (eng/setup-linker.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
project=tests/SegmentAnything.AotSmoke
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rid=$(dotnet msbuild $project -getProperty:NETCoreSdkRuntimeIdentifier)

# publish NAME RID OPTION...: into artifacts/NAME.
publish() {
  local out=$root/artifacts/$1 rid=$2
  shift 2
  rm -rf "$out"
  dotnet publish $project -c Release -r "$rid" -o "$out" -v quiet --nologo "$@" > "$log" 2>&1 \
    || { cat "$log" >&2; echo "error: the program could not be published for $rid (see above)." >&2; exit 1; }
}

# without_onnx_runtime NAME: fails if there is a native library of it.
without_onnx_runtime() {
  if find "$root/artifacts/$1" -type f -name '*onnxruntime*' | grep .; then
    echo "error: ONNX Runtime's native library is in a program that was published without its package (see above)." >&2
    exit 1
  fi
}

for with in true false; do
  name=aot
  [ $with = true ] || name=aot-without-onnxruntime
  publish $name "$rid" -p:PublishAot=true -p:WithOnnxRuntime=$with
  # Known, in a package, and without effect on us: protobuf's JSON texts look up the names of enumerations.
  if grep -E 'warning IL[0-9]+' "$log" | grep -v 'IL2067: Google\.Protobuf\.JsonFormatter\.' | sort -u | grep .; then
    echo "error: the native compiler warns, see above." >&2
    exit 1
  fi

  [ $with = true ] || without_onnx_runtime $name
  "artifacts/$name/SegmentAnything.AotSmoke" || { echo "error: as native code, the program fails ($name)." >&2; exit 1; }
done
echo "  as native code: no warning of ours, and the mask is right, with ONNX Runtime's library and without ($(du -cm --exclude='*.dbg' --exclude='*.pdb' --exclude='*.xml' artifacts/aot-without-onnxruntime | tail -n 1 | cut -f 1) MB)"

for other in linux-arm64 linux-musl-x64; do
  publish "published-$other" $other --self-contained false -p:UseAppHost=false -p:WithOnnxRuntime=false
  without_onnx_runtime "published-$other"
done
echo "  published without ONNX Runtime, and not run: linux-arm64, linux-musl-x64"
