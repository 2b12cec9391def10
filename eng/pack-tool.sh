#!/usr/bin/env bash
# eng/pack-tool.sh FOLDER [RID...]: packs the command-line tool into a folder: the package that `dotnet tool install` asks for,
# which only names the others, and one package for each runtime identifier; without identifiers, for all of them. The one of
# this machine is native code where the project says so (Linux x64); the others are compiled in advance and need .NET.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: eng/pack-tool.sh FOLDER [RID...]" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
project=src/SegmentAnything.Cli
rids=("$@")
if [ $# = 0 ]; then IFS=';' read -ra rids <<< "$(dotnet msbuild $project -getProperty:ToolPackageRuntimeIdentifiers)"; fi

for rid in "${rids[@]}"; do
  # All that lies in the folder is packed, also what an earlier day has left there.
  rm -rf "artifacts/publish/SegmentAnything.Cli/release_$rid"
  dotnet pack $project -c Release -r "$rid" -o "$folder" -v quiet --nologo
done
dotnet pack $project -c Release -o "$folder" -v quiet --nologo
