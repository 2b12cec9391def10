using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Kernels;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>The inner loops of the mask resize, each width by itself: columns of 256, 683 and 1200 values, as a photograph of 1800x1200 has.</summary>
public class MaskKernelBenchmarks
{
    private const int LowRes = 256, Model = 683, Source = 1200, Stride = LowRes + MaskKernels.ReadAhead;

    private readonly InterpolationAxis _axis = new(Model, Source, Source);
    private readonly InterpolationAxis _lowAxis = new(LowRes, 1024, Model);
    private readonly float[] _low = new float[LowRes + MaskKernels.ReadAhead];
    private readonly float[] _square = KernelInputs.Logits("noise");
    private readonly float[] _transposed = new float[LowRes * Stride];
    private readonly float[] _a = new float[Model + MaskKernels.ReadAhead];
    private readonly float[] _b = new float[Model + MaskKernels.ReadAhead];
    private readonly float[] _blended = new float[Model + MaskKernels.ReadAhead];
    private readonly ulong[] _lower = new ulong[19];
    private readonly ulong[] _middle = new ulong[19];
    private readonly ulong[] _upper = new ulong[19];
    private Cutoffs _cutoffs = Cutoffs.Around(0, 1);

    [GlobalSetup]
    public void Setup()
    {
        float[] logits = KernelInputs.Logits("noise");
        logits.AsSpan(0, _low.Length).CopyTo(_low);
        logits.AsSpan(0, _a.Length).CopyTo(_a);
        logits.AsSpan(_a.Length, _b.Length).CopyTo(_b);
    }

    [Benchmark]
    [Work(Pixels = Model, MultiplyAdds = Model)]
    public void BlendScalar() => MaskKernels.BlendScalar(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    [Work(Pixels = Model, MultiplyAdds = Model)]
    public int BlendVector128() => MaskKernels.Blend<Simd128, Vector128<float>>(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    [Work(Pixels = Model, MultiplyAdds = Model)]
    public int BlendVector256() => MaskKernels.Blend<Simd256, Vector256<float>>(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    [Work(Pixels = Model, MultiplyAdds = Model)]
    public int BlendVector512() => MaskKernels.Blend<Simd512, Vector512<float>>(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    [Work(Pixels = Source, MultiplyAdds = Source)]
    public void CutScalar() => MaskKernels.CutScalar(_a, _axis, 0, _cutoffs, _lower, _middle, _upper);

    [Benchmark]
    [Work(Pixels = Source, MultiplyAdds = Source)]
    public void CutVector128() => MaskKernels.Cut<Simd128, Vector128<float>>(_a, _axis, 0, _cutoffs, _lower, _middle, _upper);

    [Benchmark]
    [Work(Pixels = Source, MultiplyAdds = Source)]
    public void CutVector256()
    {
        if (!Avx2.IsSupported) throw new PlatformNotSupportedException("This processor has no vectors of 256 bits.");
        MaskKernels.Cut<Simd256, Vector256<float>>(_a, _axis, 0, _cutoffs, _lower, _middle, _upper);
    }

    [Benchmark]
    [Work(Pixels = Source, MultiplyAdds = Source)]
    public void CutVector512()
    {
        if (!Avx512F.IsSupported) throw new PlatformNotSupportedException("This processor has no vectors of 512 bits.");
        MaskKernels.Cut<Simd512, Vector512<float>>(_a, _axis, 0, _cutoffs, _lower, _middle, _upper);
    }

    [Benchmark]
    [Work(Pixels = Model, MultiplyAdds = Model)]
    public void InterpolateScalar() => MaskKernels.InterpolateScalar(_low, _lowAxis, 0, Model, _blended);

    [Benchmark]
    [Work(Pixels = Model, MultiplyAdds = Model)]
    public void InterpolateWidest() => MaskKernels.Interpolate(_low, _lowAxis, 0, Model, _blended);

    [Benchmark]
    [Work(Pixels = LowRes)]
    public void ClassifyScalar() => MaskKernels.ClassifyScalar(_low.AsSpan(0, LowRes), 0, -1, 1, _lower, _upper);

    [Benchmark]
    [Work(Pixels = LowRes)]
    public void ClassifyWidest() => MaskKernels.Classify(_low.AsSpan(0, LowRes), -1, 1, _lower, _upper);

    [Benchmark]
    [Work(Pixels = LowRes * LowRes)]
    public void TransposeScalar() => MaskKernels.TransposeScalar(_square, LowRes, 0, LowRes, 0, LowRes, _transposed, Stride);

    [Benchmark]
    [Work(Pixels = LowRes * LowRes)]
    public void TransposeWidest() => MaskKernels.Transpose(_square, LowRes, LowRes, LowRes, _transposed, Stride);
}
