#!/usr/bin/env bash
# Builds the documentation's site into artifacts/site: the pages of docs, and the reference of every public type out of the
# packages' XML comments. A link or a reference that leads nowhere is an error.
# To read it: dotnet docfx serve artifacts/site
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" > "$log" 2>&1 || { cat "$log" >&2; echo "error: the documentation could not be built (see above)." >&2; exit 1; }; }

# docfx runs on the .NET that it was made for, or on a later one.
export DOTNET_ROLL_FORWARD=Major
quietly dotnet tool restore
for project in SegmentAnything.Imaging SegmentAnything.Extensions.Hosting; do # and with them the libraries that they stand on
  quietly dotnet build src/$project -c Release -v quiet --nologo
done
rm -rf docs/api artifacts/site
quietly dotnet docfx metadata docfx.json --warningsAsErrors
quietly dotnet docfx build docfx.json --warningsAsErrors
echo "documentation: artifacts/site, $(find artifacts/site -name '*.html' | wc -l) pages"
