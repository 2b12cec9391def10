#!/usr/bin/env bash
# Makes all packages that are for any system (eng/pack.sh; the tool's others: eng/test-tool.sh), checks them
# (eng/check-packages.cs), and uses them from the folder, outside of the repository, as a newcomer would:
#   the README's first program, as it stands, with `dotnet run first.cs`;
#   the same program in a new console project that installs every library, MobileSAM's weights among them, where the model
#   store is empty and no server can be reached.
# Needs MobileSAM in the model store (eng/setup.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && { pwd -W 2>/dev/null || pwd; }) # -W: as Windows writes it
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

eng/pack.sh --any
libraries=$(dotnet run eng/check-packages.cs -- artifacts/packages "$root")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Ours come from the folder alone, into a cache of this test's own. Those of others are at hand, since the repository was
# built with them: they are read where they are.
cache=$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: //')
export NUGET_PACKAGES=$work/ours
mkdir "$work/app"
cat > "$work/app/nuget.config" <<XML
<configuration>
  <packageSources><clear /><add key="under test" value="$root/artifacts/packages" /></packageSources>
  <fallbackPackageFolders><clear /><add key="of others" value="$cache" /></fallbackPackageFolders>
</configuration>
XML

program=$(awk '/^<!-- program: first.cs -->$/ { near = 1 } near && /^```csharp$/ { on = 1; next } /^```$/ && on { exit } on' README.md)
[ -n "$program" ] || { echo "error: README.md shows no program first.cs." >&2; exit 1; }
picture=$root/docs/images/coffee.jpg

# check WHAT COMMAND...: runs a program, which has to print three masks and to write overlay.png into this folder.
check() {
  local what=$1 status=0
  shift
  rm -f overlay.png
  "$@" > "$work/output" 2> "$work/errors" || status=$?
  if [ $status != 0 ] || [ ! -s overlay.png ] || [ "$(grep -c 'predicted IoU' "$work/output")" != 3 ]; then
    cat "$work/output" "$work/errors" >&2
    echo "error: $what fails with the packages (status $status)." >&2
    exit 1
  fi
}

mkdir "$work/first"
cp "$work/app/nuget.config" "$work/first"
echo "$program" > "$work/first/first.cs"
cd "$work/first"
check "the README's first program" dotnet run first.cs -- "$picture"

{
  echo "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework>"
  echo "<ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable><TreatWarningsAsErrors>true</TreatWarningsAsErrors></PropertyGroup><ItemGroup>"
  while read -r id version; do echo "<PackageReference Include=\"$id\" Version=\"$version\" />"; done <<< "$libraries"
  sed -n 's|^#:package \(Microsoft[^@]*\)@\(.*\)$|<PackageReference Include="\1" Version="\2" />|p' <<< "$program"
  echo "</ItemGroup></Project>"
} > "$work/app/app.csproj"
grep -v '^#:' <<< "$program" > "$work/app/Program.cs"
cd "$work/app"
dotnet build -c Release -v quiet --nologo || { echo "error: the README's first program does not build with the packages." >&2; exit 1; }
while read -r id version; do
  installed=$(tr '[:upper:]' '[:lower:]' <<< "$id")/$version
  [ -d "$NUGET_PACKAGES/$installed" ] \
    || { echo "error: another $id $version was taken than the one under test: remove $cache/$installed" >&2; exit 1; }
done <<< "$libraries"
mkdir "$work/empty"
check "the README's first program, with the weights from their package," env -u SEGMENTANYTHING_MIRROR \
  HOME="$work/empty" XDG_CACHE_HOME="$work/empty" LOCALAPPDATA="$work/empty" SEGMENTANYTHING_MODELS="$work/empty" \
  HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9 \
  DOTNET_CLI_HOME="$work/empty" dotnet bin/Release/net10.0/app.dll "$picture"
if [ -n "$(find "$work/empty" -name '*.onnx')" ]; then echo "error: the weights were put into the model store, not found beside the program." >&2; exit 1; fi
echo "  the README's first program runs with the packages, and $(wc -l <<< "$libraries") of them installed in a project need no network"
