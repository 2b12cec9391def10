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

example=$(awk '/^```csharp$/ { on = 1; next } /^```$/ && on { exit } on' README.md)
[ -n "$example" ] || { echo "error: README.md shows no C# example." >&2; exit 1; }
{
  echo "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework>"
  echo "<ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable><TreatWarningsAsErrors>true</TreatWarningsAsErrors></PropertyGroup><ItemGroup>"
  while read -r id version; do echo "<PackageReference Include=\"$id\" Version=\"$version\" />"; done <<< "$libraries"
  echo "<PackageReference Include=\"Microsoft.ML.OnnxRuntime\" Version=\"$(sed -n 's|.*<OnnxRuntimeVersion>\(.*\)</OnnxRuntimeVersion>|\1|p' Directory.Packages.props)\" />"
  echo "</ItemGroup></Project>"
} > "$work/app/app.csproj"
cat > "$work/app/Program.cs" <<CS
using SegmentAnything;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

LoadedImage picture = ImageFile.Load(args[0]);
(byte[] pixels, int width, int height) = (picture.Pixels, picture.Width, picture.Height);
$example
Console.WriteLine(\$"  {masks.Count} masks, the best of {whole.Area} pixels, predicted IoU {masks.Best.PredictedIou:0.000}");
return masks.Count == 3 && masks.Best.PredictedIou > 0.8 && whole.Area > 0 && (whole.Width, whole.Height) == (width, height) ? 0 : 1;
CS
cd "$work/app"
dotnet build -c Release -v quiet --nologo || { echo "error: the README's first example does not build with the packages." >&2; exit 1; }
while read -r id version; do
  installed=$(tr '[:upper:]' '[:lower:]' <<< "$id")/$version
  [ -d "$NUGET_PACKAGES/$installed" ] \
    || { echo "error: another $id $version was taken than the one under test: remove $cache/$installed" >&2; exit 1; }
done <<< "$libraries"
dotnet bin/Release/net10.0/app.dll "$root/docs/images/still-life.png" \
  || { echo "error: the README's first example fails with the packages." >&2; exit 1; }
echo "  $(wc -l <<< "$libraries") packages installed from the folder, and the README's first example runs with them"
