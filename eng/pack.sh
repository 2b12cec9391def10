#!/usr/bin/env bash
# eng/pack.sh: makes the package of every packable project under src, with its symbols, in artifacts/packages. They are
# built apart from the working build, in artifacts/pack, as a release is: without a path of this machine in them, and the
# same bytes from the same commit.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && { pwd -W 2>/dev/null || pwd; }) # -W: as Windows writes it
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) && export SOURCE_DATE_EPOCH

rm -rf artifacts/packages
dotnet pack eng/packages.proj -v quiet --nologo \
  -p:ContinuousIntegrationBuild=true -p:ArtifactsPath="$root/artifacts/pack" -p:PackageOutputPath="$root/artifacts/packages"
ls -l artifacts/packages | awk 'NR > 1 { printf "  %8.1f kB  %s\n", $5 / 1000, $9 }'
