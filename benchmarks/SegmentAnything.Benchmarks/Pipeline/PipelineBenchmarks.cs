using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Engines;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Kernels;
using SegmentAnything.Imaging;
using SegmentAnything.Preprocessing;

namespace SegmentAnything.Benchmarks.Pipeline;

/// <summary>What an application waits for, with MobileSAM on a picture of 1800x1200, all processors at work.</summary>
[SimpleJob(RunStrategy.Monitoring, warmupCount: 3, iterationCount: 9, invocationCount: 1)]
public class PipelineBenchmarks
{
    internal const int Width = 1800, Height = 1200, Batch = 64;

    /// <summary>Of TinyViT for 1024 x 1024: convolutions, attention and linear layers, as encoder-ratios counts them.</summary>
    private const double EncoderMultiplyAdds = 37.1e9;

    /// <summary>Of a one-point prompt with three masks: docs/decoder.md.</summary>
    internal const double PromptMultiplyAdds = 390e6;

    /// <summary>The same where only the image's part is upscaled, 58 of 86 tiles for this picture, as the automatic generator does.</summary>
    internal const double GridPromptMultiplyAdds = PromptMultiplyAdds - (28 * 48 * 59.6e3);

    /// <summary>Short work is done so often in a round that threads waking up in its beginning do not count.</summary>
    internal const int Times = 50;

    private readonly float[] _planar = new float[3 * 1024 * 1024];
    private PixelBuffer _image;
    private SamModel _sam = null!;
    private ImageEmbedding _embedding = null!;
    private Prompt[] _points = [];

    [GlobalSetup]
    public void Setup()
    {
        _image = Picture();
        _sam = SamModel.Load(SamModels.MobileSam);
        _embedding = _sam.Encode(_image);
        _points = Points();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _embedding.Dispose();
        _sam.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Times)]
    [Work(Pixels = Width * Height, Bytes = (3 * Width * Height) + (3 * sizeof(float) * 1024 * 1024), AllThreads = true)]
    public void ResizeAndNormalise()
    {
        for (int i = 0; i < Times; i++)
            EncoderInput.Write(_image, new ImageFrame(_image.Size, 1024).ResizedSize, 1024,
                SamModels.MobileSam.PixelMean.AsSpan(), SamModels.MobileSam.PixelStd.AsSpan(), _planar, Environment.ProcessorCount);
    }

    [Benchmark]
    [Work(MultiplyAdds = EncoderMultiplyAdds, AllThreads = true)]
    public void Encode() => _sam.Encode(_image).Dispose();

    [Benchmark(OperationsPerInvoke = Times)]
    [Work(MultiplyAdds = PromptMultiplyAdds, AllThreads = true)]
    public void ClickToThreeMasks()
    {
        for (int i = 0; i < Times; i++) _sam.Predict(_embedding, _points[27]).Dispose();
    }

    [Benchmark(OperationsPerInvoke = Batch)]
    [Work(MultiplyAdds = PromptMultiplyAdds, AllThreads = true)]
    public void PromptOfABatchOf64() => Dispose(_sam.Predict(_embedding, _points));

    [Benchmark]
    [Work(MultiplyAdds = EncoderMultiplyAdds + (1024 * GridPromptMultiplyAdds), AllThreads = true)]
    public GeneratedMasks WholeGrid() => _sam.GenerateMasks(_image);

    /// <summary>Gives the memory of the logits back.</summary>
    internal static void Dispose(MaskPrediction[] predictions)
    {
        foreach (MaskPrediction prediction in predictions) prediction.Dispose();
    }

    /// <summary>The drawn still life, enlarged.</summary>
    internal static PixelBuffer Picture()
    {
        byte[] pixels = new byte[Width * Height * 3];
        ImageResizer.Resize(StillLife.Image.ToPixelBuffer(), Width, Height, pixels, Environment.ProcessorCount);
        return PixelBuffer.FromRgb24(pixels, Width, Height);
    }

    /// <summary>A grid of points on it.</summary>
    internal static Prompt[] Points() => [.. Enumerable.Range(0, Batch).Select(i => Prompt.Point(100 + (i % 8 * 225), 75 + (i / 8 * 150)))];
}
