using BenchmarkDotNet.Attributes;
using SegmentAnything.Kernels;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>The two inner loops of the mask resize, each width by itself.</summary>
public class MaskKernelBenchmarks
{
    private readonly InterpolationAxis _axis = new(683, 1200, 1200);
    private readonly float[] _a = new float[683 + MaskKernels.ReadAhead];
    private readonly float[] _b = new float[683 + MaskKernels.ReadAhead];
    private readonly float[] _blended = new float[683 + MaskKernels.ReadAhead];
    private readonly ulong[] _lower = new ulong[19];
    private readonly ulong[] _middle = new ulong[19];
    private readonly ulong[] _upper = new ulong[19];
    private Cutoffs _cutoffs = Cutoffs.Around(0, 1);

    [GlobalSetup]
    public void Setup()
    {
        float[] logits = KernelInputs.Logits("noise");
        logits.AsSpan(0, _a.Length).CopyTo(_a);
        logits.AsSpan(_a.Length, _b.Length).CopyTo(_b);
    }

    [Benchmark]
    public void BlendScalar() => MaskKernels.BlendScalar(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    public int BlendVector128() => MaskKernels.BlendVector128(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    public int BlendVector256() => MaskKernels.BlendVector256(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    public int BlendVector512() => MaskKernels.BlendVector512(_a, 0.3f, _b, 0.7f, _blended);

    [Benchmark]
    public void CutScalar() => MaskKernels.CutScalar(_a, _axis, 0, _cutoffs, _lower, _middle, _upper);

    [Benchmark]
    public void CutVector128() => MaskKernels.CutVector128(_a, _axis, 0, _cutoffs, _lower, _middle, _upper);

    [Benchmark]
    public void CutWidest() => MaskKernels.Cut(_a, _axis, 0, _cutoffs, _lower, _middle, _upper);
}
