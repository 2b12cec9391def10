// The mask is nearly right: how do I correct it with further clicks?
//   dotnet run PICTURE X,Y [+X,Y | -X,Y ...]      + on the object, - off it
using System.Globalization;
using SegmentAnything;
using SegmentAnything.Imaging;

if (args is not [var path, var start, ..])
{
    Console.Error.WriteLine("usage: RefineMask PICTURE X,Y [+X,Y | -X,Y ...]");
    return 2;
}

LoadedImage picture = ImageFile.Load(path);
using SamModel sam = SamModel.Load(SamModels.MobileSam);
using ImageEmbedding embedding = sam.Encode(picture.ToPixelBuffer()); // once, however many clicks follow

(float x, float y) = Read(start);
Prompt prompt = Prompt.Point(x, y);
MaskPrediction masks = sam.Predict(embedding, prompt);
Report();

foreach (string click in args.Skip(2))
{
    (x, y) = Read(click.TrimStart('+', '-'));

    // All clicks so far, and the logits of the mask so far: the network improves on it instead of starting anew.
    prompt = prompt.AndPoint(x, y, foreground: !click.StartsWith('-')).AndMask(masks.LowResLogits);
    masks = sam.Predict(embedding, prompt);
    Report();
}

return 0;

void Report() => Console.WriteLine($"{prompt}: {masks.Best.Mask.Area} pixels, predicted IoU {masks.Best.PredictedIou:0.000}");

static (float X, float Y) Read(string text)
{
    string[] parts = text.Split(',');
    return (float.Parse(parts[0], CultureInfo.InvariantCulture), float.Parse(parts[1], CultureInfo.InvariantCulture));
}
