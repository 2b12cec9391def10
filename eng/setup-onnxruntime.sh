#!/usr/bin/env bash
# Makes Microsoft.ML.OnnxRuntime 1.29.0 restorable. Where the user's NuGet sources have it, nothing is built. Where they
# lack it, the npm package com.github.asus4.onnxruntime, which carries Microsoft's own sources and libraries, is turned
# into the two packages, in eng/feed; Directory.Build.props then keeps every package inside artifacts/packages.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
. eng/npm-fetch.sh
version=1.29.0
feed=$root/eng/feed
managed=$feed/microsoft.ml.onnxruntime.managed.$version.nupkg
native=$feed/microsoft.ml.onnxruntime.$version.nupkg
work=$root/artifacts/onnxruntime

if [ -f "$managed" ] && [ -f "$native" ]; then
  echo "ONNX Runtime $version: using the local feed built earlier (eng/feed)"
  exit 0
fi
rm -f "$managed" "$native"

mkdir -p "$work/probe"
if [ -f "$work/nuget-has-it" ]; then
  echo "ONNX Runtime $version: NuGet has it"
  exit 0
fi

# The probe: does a plain restore find the real packages? NU1101 and NU1102 mean "no"; anything else is an error.
cat > "$work/probe/probe.csproj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
    <ManagePackageVersionsCentrally>false</ManagePackageVersionsCentrally>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Microsoft.ML.OnnxRuntime.Managed" Version="[$version]" />
    <PackageReference Include="Microsoft.ML.OnnxRuntime" Version="[$version]" />
  </ItemGroup>
</Project>
XML
echo '<Project />' > "$work/probe/Directory.Build.props" # the repository's own settings do not apply
echo "ONNX Runtime $version: asking NuGet for it"
if dotnet restore "$work/probe/probe.csproj" > "$work/probe/log" 2>&1; then
  touch "$work/nuget-has-it"
  echo "  found: the real packages are used"
  exit 0
fi
if ! grep -qE 'NU110[12]' "$work/probe/log"; then
  cat "$work/probe/log" >&2
  echo "error: NuGet could not be asked for Microsoft.ML.OnnxRuntime (see above)." >&2
  exit 1
fi

echo "  not found: building a local substitute from npm (kept inside this repository)"
npm_fetch com.github.asus4.onnxruntime@0.4.9 \
  sha512-BkzxduSZ9IkeDP6Q8lz2TFU2ie7hSSvS7ZIfzMooExoq0CNzJnuuGaUJ7IsojBgqO4ouD1jXah8OYyJbCN29Fg== \
  "$work/onnxruntime-unity-0.4.9.tgz"
rm -rf "$work/sources" && mkdir -p "$work/sources"
tar -xzf "$work/onnxruntime-unity-0.4.9.tgz" -C "$work/sources" --strip-components=1 \
  package/Runtime package/Plugins/Linux package/Plugins/Windows package/Plugins/macOS package/LICENSE

rm -rf "$work/packed"
pack() { # PROJECT [more arguments]
  dotnet pack "$@" -c Release -o "$work/packed" -p:OnnxRuntimeSources="$work/sources" \
    -p:RestorePackagesPath="$root/artifacts/packages" -v quiet --nologo > "$work/log" 2>&1 \
    || { cat "$work/log" >&2; echo "error: $1 could not be packed (see above)." >&2; exit 1; }
}
echo "  compiling and packing the managed part"
pack eng/onnxruntime/Managed.csproj
# The native package depends on the managed one, so it is packed against the feed that already holds it.
cp "$work/packed/Microsoft.ML.OnnxRuntime.Managed.$version.nupkg" "$managed.part"
mv "$managed.part" "$managed"
echo "  packing the native libraries (Linux x64, Windows x64 and Arm64, macOS Arm64)"
pack eng/onnxruntime/Native.csproj
cp "$work/packed/Microsoft.ML.OnnxRuntime.$version.nupkg" "$native.part"
mv "$native.part" "$native"
rm -rf "$work/sources" "$work/packed"
echo "  done: eng/feed"
