using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Preprocessing;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>Picture to encoder input: resize, normalise, lay out in planes.</summary>
public class PreprocessBenchmarks
{
    private const int ModelSize = 1024;
    private static readonly float[] Mean = [123.675f, 116.28f, 103.53f];
    private static readonly float[] Std = [58.395f, 57.12f, 57.375f];
    private static readonly float[] UnitMean = [0.485f, 0.456f, 0.406f];
    private static readonly float[] UnitStd = [0.229f, 0.224f, 0.225f];

    private readonly float[] _planar = new float[3 * ModelSize * ModelSize];
    private PixelBuffer _picture;
    private byte[] _rgb = [];
    private ImageSize _resized;

    [Params("1800x1200", "800x534", "4000x3000")]
    public string Size { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _picture = KernelInputs.Picture(KernelInputs.Size(Size));
        _resized = new ImageFrame(_picture.Size, ModelSize).ResizedSize;
        _rgb = new byte[_resized.Width * _resized.Height * 3];
        byte[] scalar = new byte[_rgb.Length];
        ImageResizer.Resize(_picture, _resized.Width, _resized.Height, _rgb, Environment.ProcessorCount);
        ImageResizer.ResizeScalar(_picture, _resized.Width, _resized.Height, scalar);
        if (!scalar.AsSpan().SequenceEqual(_rgb)) throw new InvalidOperationException("The two ways give different pixels.");
    }

    [Benchmark(Baseline = true)]
    [Work(PerPixel = true, Pixels = 1)]
    public void ResizeDefinition() => ImageResizer.ResizeScalar(_picture, _resized.Width, _resized.Height, _rgb);

    [Benchmark]
    [Work(PerPixel = true, Pixels = 1, BytesPerPixel = 3, AllThreads = true)]
    public void Resize() => ImageResizer.Resize(_picture, _resized.Width, _resized.Height, _rgb, Environment.ProcessorCount);

    [Benchmark]
    [Work(PerPixel = true, Pixels = 1, BytesPerPixel = 3, Bytes = 3 * sizeof(float) * ModelSize * ModelSize, AllThreads = true)]
    public void Preprocess() => EncoderInput.Write(_picture, _resized, ModelSize, Mean, Std, _planar, Environment.ProcessorCount);


    [Benchmark]
    [Work(PerPixel = true, Pixels = 1)]
    public void FloatDefinition() => FloatEncoderInput.WriteScalar(_picture, ModelSize, ModelSize, UnitMean, UnitStd, _planar);

    [Benchmark]
    [Work(PerPixel = true, Pixels = 1, BytesPerPixel = 3, Bytes = 3 * sizeof(float) * ModelSize * ModelSize, AllThreads = true)]
    public void Float() => FloatEncoderInput.Write(_picture, ModelSize, ModelSize, UnitMean, UnitStd, _planar, Environment.ProcessorCount);
}
