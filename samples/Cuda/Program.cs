// How do I run on an NVIDIA GPU, and on the CPU where there is none?
//   dotnet run PICTURE
// The one change in the project file: the package Microsoft.ML.OnnxRuntime.Gpu instead of Microsoft.ML.OnnxRuntime.
using System.Diagnostics;
using SegmentAnything;
using SegmentAnything.Imaging;

if (args is not [var path])
{
    Console.Error.WriteLine("usage: Cuda PICTURE");
    return 2;
}

// Tried in this order; the first that works is taken.
SamOptions options = SamOptions.Default with
{
    Execution = ExecutionOptions.For(new CudaProvider(DeviceId: 0), new CpuProvider()),
};

LoadedImage picture = ImageFile.Load(path);
using SamModel sam = SamModel.Load(SamModels.MobileSam, options);
Console.WriteLine($"Image encoder on {sam.Encoder.Provider.Name}, mask decoder on {sam.Decoder.Provider.Name}");

// The first run of a network on a GPU compiles and allocates; the second one shows what it costs from then on.
sam.Encode(picture.ToPixelBuffer()).Dispose();
long start = Stopwatch.GetTimestamp();
using ImageEmbedding embedding = sam.Encode(picture.ToPixelBuffer());
Console.WriteLine($"Encoded in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms");

PredictedMask best = sam.Predict(embedding, Prompt.Point(picture.Width / 2f, picture.Height / 2f)).Best;
Console.WriteLine($"In the middle: {best.Mask.Area} pixels, predicted IoU {best.PredictedIou:0.000}");
return 0;
