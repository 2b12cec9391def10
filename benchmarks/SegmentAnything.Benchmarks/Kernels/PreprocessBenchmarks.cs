using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Kernels;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>Picture to encoder input: resize, normalise, lay out in planes.</summary>
public class PreprocessBenchmarks
{
    private const int ModelSize = 1024;
    private static readonly float[] Mean = [123.675f, 116.28f, 103.53f];
    private static readonly float[] Std = [58.395f, 57.12f, 57.375f];

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
        ImageKernels.ResizeBilinear(_picture, _resized.Width, _resized.Height, _rgb);
        ImageKernels.ResizeBilinearScalar(_picture, _resized.Width, _resized.Height, scalar);
        if (!scalar.AsSpan().SequenceEqual(_rgb)) throw new InvalidOperationException("The two ways give different pixels.");
    }

    [Benchmark(Baseline = true)]
    [Work(PerPixel = true, Pixels = 1)]
    public void ResizeDefinition() => ImageKernels.ResizeBilinearScalar(_picture, _resized.Width, _resized.Height, _rgb);

    [Benchmark]
    [Work(PerPixel = true, Pixels = 1, BytesPerPixel = 3, AllThreads = true)]
    public void Resize() => ImageKernels.ResizeBilinear(_picture, _resized.Width, _resized.Height, _rgb);

    [Benchmark]
    [Work(PerPixel = true, Pixels = 1, BytesPerPixel = 3, Bytes = 3 * sizeof(float) * ModelSize * ModelSize, AllThreads = true)]
    public void Preprocess() => ImageKernels.Preprocess(_picture, new ImageFrame(_picture.Size, ModelSize), Mean, Std, _planar);
}
