// How do I get every object of a picture, without pointing at anything?
//   dotnet run PICTURE
using SegmentAnything;
using SegmentAnything.Imaging;

if (args is not [var path])
{
    Console.Error.WriteLine("usage: AutomaticMasks PICTURE");
    return 2;
}

LoadedImage picture = ImageFile.Load(path);
using SamModel sam = SamModel.Load(SamModels.MobileSam);

// 32 x 32 points over the picture are the default; half as many a side take a quarter of the time and find less.
var options = AutomaticMaskOptions.Default with { PointsPerSide = 16 };
List<GeneratedMask> masks = [];
await foreach (GeneratedMask mask in sam.GenerateMasksAsync(picture.ToPixelBuffer(), options))
{
    masks.Add(mask);
    Console.WriteLine($"{masks.Count}: {mask.Area} pixels, predicted IoU {mask.PredictedIou:0.000}, stability {mask.StabilityScore:0.000}");
}

// Large ones first, so that small ones lie on top.
byte[] map = new byte[picture.Width * picture.Height * 3];
foreach ((int i, GeneratedMask mask) in masks.OrderByDescending(m => m.Area).Index())
    Paint(mask, (byte)(60 + (i * 97 % 196)), (byte)(60 + (i * 57 % 196)), (byte)(60 + (i * 151 % 196)));
ImageFile.SavePng("masks.png", map, picture.Width, picture.Height);
Console.WriteLine("All of them, each in a colour of its own: masks.png");
return 0;

void Paint(GeneratedMask mask, params ReadOnlySpan<byte> colour)
{
    byte[] bitmap = mask.Mask.ToBitmap();
    for (int i = 0; i < bitmap.Length; i++)
        if (bitmap[i] != 0) colour.CopyTo(map.AsSpan(i * 3));
}
