// Writes PNG files as JPEG, for docs/images: dotnet run eng/to-jpeg.cs -- IN.png OUT.jpg
#:package SkiaSharp
#:package SkiaSharp.NativeAssets.Linux.NoDependencies
#:property PublishAot=false
using SkiaSharp;

using SKBitmap picture = SKBitmap.Decode(args[0]) ?? throw new InvalidDataException($"{args[0]}: cannot be read.");
using FileStream file = File.Create(args[1]);
picture.Encode(file, SKEncodedImageFormat.Jpeg, quality: 88);
