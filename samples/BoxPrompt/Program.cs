// How do I get one mask for each of the boxes that my detector found?
//   dotnet run PICTURE X0,Y0,X1,Y1 [X0,Y0,X1,Y1 ...]
using System.Globalization;
using SegmentAnything;
using SegmentAnything.Imaging;

if (args is not [var path, _, ..])
{
    Console.Error.WriteLine("usage: BoxPrompt PICTURE X0,Y0,X1,Y1 [X0,Y0,X1,Y1 ...]");
    return 2;
}

Prompt[] boxes = [.. args.Skip(1).Select(text =>
{
    float[] corner = [.. text.Split(',').Select(number => float.Parse(number, CultureInfo.InvariantCulture))];
    return Prompt.Box(corner[0], corner[1], corner[2], corner[3]);
})];

LoadedImage picture = ImageFile.Load(path);
using SamModel sam = SamModel.Load(SamModels.MobileSam);
using ImageEmbedding embedding = sam.Encode(picture.ToPixelBuffer());

// All boxes in one call: that is much faster than one after the other.
MaskPrediction[] predictions = sam.Predict(embedding, boxes);
for (int i = 0; i < boxes.Length; i++)
{
    PredictedMask mask = predictions[i].Best;
    Console.WriteLine($"{boxes[i]}: {mask.Mask.Area} pixels, predicted IoU {mask.PredictedIou:0.000}");
}

return 0;
