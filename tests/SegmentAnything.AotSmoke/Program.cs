// Walks the library's whole road once, with MobileSAM out of the model store, and ends with 0 if the mask is right.
using System.Diagnostics;
using System.Globalization;
using SegmentAnything;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

const int Width = 640, Height = 480, CenterX = 250, CenterY = 200, Radius = 100;

// A bright disk on a dark ground, under a slow gradient: nobody could cut out anything else.
byte[] pixels = new byte[Width * Height * 3];
byte[] disk = new byte[Width * Height];
for (int y = 0; y < Height; y++)
{
    for (int x = 0; x < Width; x++)
    {
        bool isInside = ((x - CenterX) * (x - CenterX)) + ((y - CenterY) * (y - CenterY)) <= Radius * Radius;
        int i = (y * Width) + x;
        disk[i] = isInside ? (byte)1 : (byte)0;
        (pixels[3 * i], pixels[(3 * i) + 1], pixels[(3 * i) + 2]) =
            isInside ? ((byte)220, (byte)(150 + (x / 10)), (byte)40) : ((byte)40, (byte)(60 + (y / 10)), (byte)90);
    }
}

// As a file and back, by libvips.
string file = Path.Combine(Path.GetTempPath(), $"segment-anything-{Guid.NewGuid():n}.png");
ImageFile.SavePng(file, pixels, Width, Height);
LoadedImage picture = ImageFile.Load(file);
File.Delete(file);

long start = Stopwatch.GetTimestamp();
using SamModel sam = SamModel.Load(SamModels.MobileSam);
TimeSpan loaded = Stopwatch.GetElapsedTime(start);
using ImageEmbedding encoded = sam.Encode(picture.ToPixelBuffer());
TimeSpan toEmbedding = Stopwatch.GetElapsedTime(start);
using var saved = new MemoryStream();
encoded.Save(saved);
saved.Position = 0;
using ImageEmbedding photo = sam.LoadEmbedding(saved);

MaskPrediction three = sam.Predict(photo, Prompt.Point(CenterX, CenterY));
TimeSpan toMasks = Stopwatch.GetElapsedTime(start);
PredictedMask one = sam.Predict(photo, Prompt.Box(CenterX - Radius, CenterY - Radius, CenterX + Radius, CenterY + Radius).AndMask(three.LowResLogits)).Best;
RleMask expected = RleMask.FromBitmap(disk, Width, Height);
double iou = one.Mask.IntersectionOverUnion(expected);
Console.WriteLine($"{three.Count} masks for the point; for the box: {one.Mask}, predicted IoU {one.PredictedIou:0.000}, IoU with the disk {iou:0.000}");

Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"loaded after {loaded.TotalMilliseconds:F0} ms, encoded after {toEmbedding.TotalMilliseconds:F0} ms, first masks after {toMasks.TotalMilliseconds:F0} ms, {Environment.ProcessorCount} processors"));

// Every object: the ground and the disk, at least.
int objects = sam.GenerateMasks(picture.ToPixelBuffer(), new AutomaticMaskOptions { PointsPerSide = 6 }).Count;
Console.WriteLine($"{objects} objects in the picture, on {sam.Encoder.Provider.Name}");

// What goes wrong must say so here too.
string? complaint = null;
try
{
    SamModel.Load(SamModels.VitB, ModelFiles.FromCheckpoint("no/such/checkpoint.pth"));
}
catch (ModelNotFoundException e)
{
    complaint = e.Message;
}

return picture.Pixels.AsSpan().SequenceEqual(pixels) && three.Count == 3 && iou > 0.95 && objects > 0 && complaint is not null ? 0 : 1;
