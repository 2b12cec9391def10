// How do I get the masks of the thing I click on?
//   dotnet run PICTURE X Y
using System.Globalization;
using SegmentAnything;
using SegmentAnything.Imaging;

if (args is not [var path, var left, var top])
{
    Console.Error.WriteLine("usage: PointPrompt PICTURE X Y");
    return 2;
}

LoadedImage picture = ImageFile.Load(path);
using SamModel sam = SamModel.Load(SamModels.MobileSam);
using ImageEmbedding embedding = sam.Encode(picture.ToPixelBuffer());

Prompt click = Prompt.Point(float.Parse(left, CultureInfo.InvariantCulture), float.Parse(top, CultureInfo.InvariantCulture));
MaskPrediction masks = sam.Predict(embedding, click);

// One click may mean the whole, a part, or a part of the part: three masks, the likeliest first.
foreach (PredictedMask mask in masks)
    Console.WriteLine($"{mask.Mask.Area} pixels, predicted IoU {mask.PredictedIou:0.000}, stability {mask.StabilityScore:0.000}");

// A mask as a picture: white on black.
byte[] bitmap = new byte[picture.Width * picture.Height];
masks.Best.Mask.ToBitmap(bitmap, foreground: 255);
ImageFile.SavePng("mask.png", bitmap, picture.Width, picture.Height);
Console.WriteLine("The best one: mask.png");
return 0;
