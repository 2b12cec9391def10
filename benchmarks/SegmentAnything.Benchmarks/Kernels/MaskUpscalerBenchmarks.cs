using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Kernels;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>A candidate's mask work: low-resolution logits to three counts and run lengths at source size.</summary>
/// <remarks>
/// The baseline resizes in two passes over floats, one value at a time, compares and encodes: the definition. "Measure"
/// takes the widest vectors that the processor has; DOTNET_EnableAVX512=0 shows Vector256.
/// </remarks>
public class MaskUpscalerBenchmarks
{
    private MaskUpscaler _upscaler = null!;
    private float[] _logits = [];
    private float[] _full = [];

    [Params("1800x1200", "800x534")]
    public string Size { get; set; } = "";

    [ParamsSource(nameof(LogitNames))]
    public string Logits { get; set; } = "";

    public static IEnumerable<string> LogitNames => KernelInputs.LogitNames;

    [GlobalSetup]
    public void Setup()
    {
        ImageSize size = KernelInputs.Size(Size);
        _upscaler = new MaskUpscaler(new ImageFrame(size, 1024).ResizedSize, size);
        _logits = KernelInputs.Logits(Logits);
        _full = new float[size.Width * size.Height];
        if (Definition() != Measure()) throw new InvalidOperationException("The two ways give different masks.");
    }

    [Benchmark(Baseline = true)]
    [Work(PerPixel = true, Pixels = 1)]
    public RleMask Definition()
    {
        _upscaler.UpscaleLogitsScalar(_logits, _full);
        long lower = 0, upper = 0;
        foreach (float value in _full)
        {
            if (value > -1) lower++;
            if (value > 1) upper++;
        }

        GC.KeepAlive(lower + upper);
        return RleMask.FromLogits(_full, _upscaler.OutputSize.Width, _upscaler.OutputSize.Height, 0);
    }

    [Benchmark]
    [Work(PerPixel = true, Pixels = 1)]
    public RleMask UpscaleThenEncode()
    {
        _upscaler.UpscaleLogits(_logits, _full);
        return RleMask.FromLogits(_full, _upscaler.OutputSize.Width, _upscaler.OutputSize.Height, 0);
    }

    [Benchmark]
    [Work(PerPixel = true, Pixels = 1)]
    public RleMask Measure() => _upscaler.Measure(_logits, 0, 1).Mask;
}
