#!/usr/bin/env bash
# Makes all packages (eng/pack.sh), checks them (eng/check-packages.cs), installs every library among them from the folder
# into a new console project outside of the repository, and runs the README's first example there, on a picture and with
# the real MobileSAM. Needs MobileSAM in the model store and libvips (eng/setup.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && { pwd -W 2>/dev/null || pwd; }) # -W: as Windows writes it
cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

eng/pack.sh
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

# The program as README has it. What tells a single file its packages is the project's matter here; the versions must be ours.
onnx_runtime=$(sed -n 's|.*<OnnxRuntimeVersion>\(.*\)</OnnxRuntimeVersion>|\1|p' Directory.Packages.props)
packages="$libraries"$'\n'"Microsoft.ML.OnnxRuntime $onnx_runtime"
example=$(awk '/^```csharp$/ { on = 1; next } /^```$/ && on { exit } on' README.md)
grep -v '^#:package' <<< "$example" > "$work/app/Program.cs"
named=$(sed -n 's/^#:package \(.*\)@/\1 /p' <<< "$example")
[ -n "$named" ] || { echo "error: the README's first example names no packages." >&2; exit 1; }
while read -r package; do
  grep -qxF "$package" <<< "$packages" || { echo "error: the README's first example takes $package, which is not what eng/pack.sh makes." >&2; exit 1; }
done <<< "$named"
{
  echo "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework>"
  echo "<ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable><TreatWarningsAsErrors>true</TreatWarningsAsErrors></PropertyGroup><ItemGroup>"
  while read -r id version; do echo "<PackageReference Include=\"$id\" Version=\"$version\" />"; done <<< "$packages"
  echo "</ItemGroup></Project>"
} > "$work/app/app.csproj"
cd "$work/app"
dotnet build -c Release -v quiet --nologo || { echo "error: the README's first example does not build with the packages." >&2; exit 1; }
while read -r id version; do
  installed=$(tr '[:upper:]' '[:lower:]' <<< "$id")/$version
  [ -d "$NUGET_PACKAGES/$installed" ] \
    || { echo "error: another $id $version was taken than the one under test: remove $cache/$installed" >&2; exit 1; }
done <<< "$libraries"
picture=$("$root/eng/fetch-photo.sh" || echo "$root/docs/images/icon.png")
found=$(dotnet bin/Release/net10.0/app.dll "$picture") || { echo "error: the README's first example fails with the packages." >&2; exit 1; }
echo "$found"
[ "$(grep -c 'predicted IoU' <<< "$found")" = 3 ] && [ -s overlay.png ] \
  || { echo "error: the README's first example gives other things than three masks and overlay.png." >&2; exit 1; }
echo "  $(wc -l <<< "$libraries") packages installed from the folder, and the README's first example runs with them"
