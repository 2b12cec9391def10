#!/usr/bin/env bash
# Installs the tool as its users do, out of a folder of packages made for this machine, and makes a mask with it. Needs
# MobileSAM in the model store (eng/setup-models.sh). Fails, too, where the tool takes 100 MB or more, the package's archive
# not counted, of which the SDK keeps copies beside.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
rid=$(dotnet msbuild src/SegmentAnything.Cli -getProperty:NETCoreSdkRuntimeIdentifier)
eng/pack-tool.sh "$work/feed" "$rid" || { echo "error: the tool could not be packed, see above." >&2; exit 1; }

# Packages of the same version may be in the user's cache from an earlier day.
export NUGET_PACKAGES=$work/packages
dotnet tool install SegmentAnything.Cli --tool-path "$work/tool" --source "$work/feed" --prerelease > "$work/log" 2>&1 \
  || { cat "$work/log" >&2; echo "error: the tool could not be installed." >&2; exit 1; }
size=$(du -cm --exclude='*.nupkg' "$work/tool" | tail -n 1 | cut -f 1)
whole=$(du -sm "$work/tool" | cut -f 1)
"$work/tool/segment-anything" demo --output "$work/demo" > "$work/log" 2>&1 \
  || { cat "$work/log" >&2; echo "error: the installed tool fails." >&2; exit 1; }
"$work/tool/segment-anything" segment "$work/demo/still-life.png" --point 384,288 --json "$work/masks.json"
masks=$(grep -c '"counts":"[^"]' "$work/masks.json") || true
[ "$masks" = 3 ] || { echo "error: the installed tool gave $masks masks for a point, expected 3." >&2; exit 1; }
[ "$size" -lt 100 ] || { echo "error: the installed tool takes $size MB, at most 99 are allowed." >&2; exit 1; }
echo "  installed from a folder for $rid: $size MB, $whole MB with the archives that the SDK keeps; a point gives $masks masks"
