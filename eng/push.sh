#!/usr/bin/env bash
# eng/push.sh [SOURCE]: pushes every package in artifacts/packages, with its symbols, to SOURCE: an address, a folder, or a
# name out of NuGet's configuration. Without SOURCE: to the first one in the configuration, which is the public gallery where
# nobody changed it. The key is taken from NUGET_API_KEY; a folder needs none. What is there already is left alone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
source=${1:-$(dotnet nuget list source --format short | sed -n 's/^E[A-Z]* //p' | head -n 1)}
[ -n "$source" ] || { echo "error: NuGet's configuration has no source; name one: eng/push.sh SOURCE" >&2; exit 1; }
options=()
if [ ! -d "$source" ]; then
  [ -n "${NUGET_API_KEY:-}" ] || { echo "error: NUGET_API_KEY is not set, and $source is not a folder." >&2; exit 1; }
  options=(--skip-duplicate --api-key "$NUGET_API_KEY")
fi
ls artifacts/packages/*.nupkg > /dev/null || { echo "error: there are no packages; run eng/pack.sh first." >&2; exit 1; }
# The symbols beside a package go with it.
dotnet nuget push 'artifacts/packages/*.nupkg' --source "$source" ${options[@]+"${options[@]}"}
