#!/usr/bin/env bash
# Makes the pictures of docs/images anew: the tool's own drawings over free photographs, as JPEG. Needs MobileSAM in the model
# store (eng/setup-models.sh) and the photographs (eng/fetch-photo.sh). Look at them before they are committed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
photos=$(dirname "$(eng/fetch-photo.sh)")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build src/SegmentAnything.Cli -c Release -v quiet --nologo
tool() { dotnet artifacts/bin/SegmentAnything.Cli/release/segment-anything.dll "$@"; }

tool segment "$photos/coffee.png" --point 285,160 --point 200,190,0 --point 120,280,0 --box 325,238,408,328 --box 192,228,264,310 \
  --overlay "$work/coffee.png"
tool everything "$photos/astronaut.png" --overlay "$work/astronaut.png"
for name in coffee astronaut; do dotnet run eng/to-jpeg.cs -- "$work/$name.png" "docs/images/$name.jpg"; done
ls -l docs/images
