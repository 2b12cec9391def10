#!/usr/bin/env bash
# eng/pack.sh [--any]: makes the package of every packable project under src, with its symbols, in artifacts/packages; the
# tool's for one runtime identifier each, too, unless --any asks only for packages that are for any system. They are built
# apart from the working build, in artifacts/pack, as a release is: without a path of this machine in them, and the same
# bytes from the same commit. Needs MobileSAM in the model store (eng/setup-models.sh), since one package is made of it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && { pwd -W 2>/dev/null || pwd; }) # -W: as Windows writes it
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) && export SOURCE_DATE_EPOCH
export ContinuousIntegrationBuild=true ArtifactsPath=$root/artifacts/pack # MSBuild takes properties from here

rm -rf artifacts/packages
dotnet pack eng/packages.proj -v quiet --nologo -p:PackageOutputPath="$root/artifacts/packages"
if [ "${1:-}" != --any ]; then eng/pack-tool.sh artifacts/packages; fi
ls -l artifacts/packages | awk 'NR > 1 { printf "  %8.1f kB  %s\n", $5 / 1000, $9 }'
