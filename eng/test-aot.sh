#!/usr/bin/env bash
# Publishes tests/SegmentAnything.AotSmoke as native code, fails on any warning about our own code, and runs the program.
# Needs MobileSAM in the model store (eng/setup-models.sh) and a linker (eng/setup-linker.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
project=tests/SegmentAnything.AotSmoke
out=$root/artifacts/aot
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rid=$(dotnet msbuild $project -getProperty:NETCoreSdkRuntimeIdentifier)
rm -rf "$out"
dotnet publish $project -c Release -r "$rid" -o "$out" -v quiet --nologo -p:PublishAot=true > "$log" 2>&1 \
  || { cat "$log" >&2; echo "error: the program could not be published (see above)." >&2; exit 1; }

# Known, in a package, and without effect on us: protobuf's JSON texts look up the names of enumerations.
if grep -E 'warning IL[0-9]+' "$log" | grep -v 'IL2067: Google\.Protobuf\.JsonFormatter\.' | sort -u | grep .; then
  echo "error: the native compiler warns, see above." >&2
  exit 1
fi

"$out/SegmentAnything.AotSmoke" || { echo "error: as native code, the program fails." >&2; exit 1; }
echo "  as native code: no warning of ours, and the mask is right"
