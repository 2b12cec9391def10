#!/usr/bin/env bash
# Publishes tests/SegmentAnything.AotSmoke as native code, fails on any warning about our own code, and runs the program.
# Where NuGet lacks the native runtime, it is published trimmed instead: the trimmer's analysis and its effects are tested
# then, dynamic code is left to the analyzers that are on in src/. Needs MobileSAM in the model store (eng/setup-models.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
project=tests/SegmentAnything.AotSmoke
out=$root/artifacts/aot
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rid=$(dotnet msbuild $project -getProperty:NETCoreSdkRuntimeIdentifier)
publish() { rm -rf "$out"; dotnet publish $project -c Release -r "$rid" -o "$out" -v quiet --nologo "$@" > "$log" 2>&1; }

how="as native code"
if ! publish -p:PublishAot=true; then
  if ! grep -qE 'NU110[12].*(NativeAOT|ILCompiler)' "$log"; then
    cat "$log" >&2
    echo "error: the program could not be published (see above)." >&2
    exit 1
  fi
  how="trimmed (NuGet lacks the native runtime)"
  publish -p:PublishTrimmed=true --self-contained \
    || { cat "$log" >&2; echo "error: the program could not be published (see above)." >&2; exit 1; }
fi

# Known, in packages, and without effect on us: protobuf's JSON texts look up the names of enumerations, and ONNX Runtime
# makes delegates of types that are all named in its code.
if grep -E 'warning IL[0-9]+' "$log" \
  | grep -vE 'IL2067: Google\.Protobuf\.JsonFormatter\.|IL3050: Microsoft\.ML\.OnnxRuntime\.' | sort -u | grep .; then
  echo "error: the trimmer or the native compiler warns, see above." >&2
  exit 1
fi

"$out/SegmentAnything.AotSmoke" || { echo "error: published $how, the program fails." >&2; exit 1; }
echo "  published $how: no warning of ours, and the mask is right"
