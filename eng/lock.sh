#!/usr/bin/env bash
# Writes the lock files of all projects anew, in eng/locks: the exact packages, with their hashes, that a restore takes.
# A restore compares with them, and refuses a package whose bytes are others (NU1403). It is not told to be strict about
# versions (RestoreLockedMode), since some packages come with the SDK and change with its patches: it then writes the file anew.
# Run it after a change of a package, and commit what it wrote.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
rm -rf eng/locks
dotnet restore SegmentAnything.sln --nologo -v quiet --force-evaluate -p:RestorePackagesWithLockFile=true
echo "$(ls eng/locks | wc -l) lock files in eng/locks"
