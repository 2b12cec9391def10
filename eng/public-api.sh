#!/usr/bin/env bash
# Writes what is public, and not yet part of a release, into PublicAPI.Unshipped.txt of every package's project, for review
# with the change that made it. A build fails where the two differ. (What PublicAPI.Shipped.txt has stays as it is.)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 LC_ALL=C
log=$(mktemp)
trap 'rm -f "$log"' EXIT

lists=(src/*/PublicAPI.Unshipped.txt)
for list in "${lists[@]}"; do echo '#nullable enable' > "$list"; done
dotnet build eng/packages.proj -t:Build -v quiet --nologo -p:TreatWarningsAsErrors=false > "$log" 2>&1 \
  || { cat "$log" >&2; git checkout -q -- "${lists[@]}"; echo "error: src does not build (see above); the listings are as they were." >&2; exit 1; }
for list in "${lists[@]}"; do
  project=$(dirname "$list")
  sed -n "s|.* RS0016: Symbol '\(.*\)' is not part of the declared public API.*\[.*/$project/[^/]*\]\$|\1|p" "$log" | sort -u >> "$list"
  echo "$list: $(($(wc -l < "$list") - 1)) members"
done
