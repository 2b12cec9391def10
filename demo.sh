#!/usr/bin/env bash
# ./demo.sh [IMAGE]: sets everything up (see eng/setup.sh), builds the command-line tool, and segments a picture with a
# point, with a box, and with a second click that refines the first answer. Without IMAGE: a photograph out of a Debian
# package, or a still life that the tool draws itself where that cannot be had. Safe to run again.
set -euo pipefail
if [ $# -gt 1 ]; then echo "usage: ./demo.sh [IMAGE]" >&2; exit 2; fi
image=
prompts=()
if [ $# = 1 ]; then
  [ -f "$1" ] || { echo "error: $1: there is no such file" >&2; exit 1; }
  image=$(realpath "$1")
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

echo "== Setting up"
eng/setup.sh

echo "== Building the tool"
dotnet build src/SegmentAnything.Cli -c Release -v quiet --nologo

if [ -z "$image" ]; then
  echo "== Fetching a photograph"
  if image=$(eng/fetch-photo.sh); then
    echo "$image"
    prompts=(--point 285,150 --box 325,238,408,328) # on the coffee; around the spoon
  else
    image=
    echo "a still life is drawn instead"
  fi
fi

echo "== Segmenting"
exec dotnet artifacts/bin/SegmentAnything.Cli/release/segment-anything.dll demo ${image:+"$image"} ${prompts[@]+"${prompts[@]}"} --output artifacts/demo
