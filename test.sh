#!/usr/bin/env bash
# ./test.sh: sets everything up (see eng/setup.sh), builds the solution with warnings as errors, checks its formatting,
# runs every test project, publishes ahead of time, makes and installs the packages; then the tests of the kernels again
# with fewer and fewer vector instructions allowed. Safe to run again. It ends with the minutes of each step; the last line
# gives the totals of all runs, and the exit status is 0 only when nothing failed.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

passed=0 failed=0 skipped=0 broken=0

# step NAME: says what begins, and notes how long the last one took.
step_name='' step_start=$SECONDS times=''
step() {
  if [ -n "$step_name" ]; then
    local took=$((SECONDS - step_start))
    times+=$(printf '%6d.%d  %s' $((took / 60)) $((took % 60 / 6)) "$step_name")$'\n'
  fi
  step_name=$1 step_start=$SECONDS
  if [ -n "$1" ]; then echo "== $1"; fi
}

finish() {
  step ''
  printf '== Minutes\n%s%6d.%d  in all\n' "$times" $((SECONDS / 60)) $((SECONDS % 60 / 6))
  if [ $broken != 0 ]; then echo "error: $broken step(s) that are not tests failed, see above" >&2; fi
  echo "$passed passed, $failed failed, $skipped skipped"
  [ $failed = 0 ] && [ $broken = 0 ] && [ $passed != 0 ]
  exit
}

# Without this one there is nothing to go on with.
must() { "$@" || { broken=$((broken + 1)); finish; }; }
may() { "$@" || broken=$((broken + 1)); }

# run_tests PROJECT [filter...]: runs one test project and adds up what its summary says. A run without a summary is a crash.
run_tests() {
  local project=$1 log status
  shift
  log=$(mktemp)
  dotnet "artifacts/bin/$project/release/$project.dll" --no-ansi --progress off "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  local count name
  for name in succeeded failed skipped; do
    count=$(sed -n "s/^ *$name: \([0-9]*\)$/\1/p" "$log" | tail -n 1)
    case $name in
      succeeded) passed=$((passed + ${count:-0})) ;;
      failed) failed=$((failed + ${count:-0})); [ "${count:-0}" = 0 ] && [ "$status" != 0 ] && broken=$((broken + 1)) ;;
      skipped) skipped=$((skipped + ${count:-0})) ;;
    esac
  done
  if [ "$status" != 0 ]; then echo "error: $project ended with status $status" >&2; fi
  rm -f "$log"
}

# simd_leg NAME SETTING...: the kernels' tests with some instruction sets switched off. The tests read the leg's name, so
# that a switch that switched nothing off is red.
simd_leg() {
  local name=$1
  shift
  step "Kernels, $name${*:+ ($*)}"
  export SEGMENTANYTHING_SIMD_LEG=$name "$@"
  run_tests SegmentAnything.Rle.Tests
  run_tests SegmentAnything.Tests --filter-namespace \
    'SegmentAnything.Tests.Kernels*' 'SegmentAnything.Tests.Masks*' 'SegmentAnything.Tests.Preprocessing*' \
    'SegmentAnything.Tests.Decoding*' SegmentAnything.TestSupport
  unset SEGMENTANYTHING_SIMD_LEG "${@%%=*}"
}

step "Setting up"
must eng/setup.sh
must eng/setup-linker.sh

step "Building"
must dotnet build SegmentAnything.sln -c Release -v quiet --nologo

step "Checking the formatting"
may dotnet format SegmentAnything.sln --verify-no-changes --no-restore

for project in tests/*.Tests tests/*.ModelTests; do
  project=$(basename "$project")
  step "$project"
  SEGMENTANYTHING_SIMD_LEG=default run_tests "$project"
done

step "Published ahead of time"
may eng/test-aot.sh

step "Packages"
may eng/test-packages.sh

step "The tool, packed and installed"
may eng/test-tool.sh

step "Documentation"
may eng/docs.sh

simd_leg noavx512 DOTNET_EnableAVX512=0
simd_leg noavx2 DOTNET_EnableAVX2=0
simd_leg nointrinsics DOTNET_EnableHWIntrinsic=0
finish
