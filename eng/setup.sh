#!/usr/bin/env bash
# Prepares a checkout: the model files. NuGet brings the rest.
# Safe to run again: what is there already is left as it is. Called by demo.sh and test.sh.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

eng/setup-models.sh
