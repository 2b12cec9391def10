using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using SegmentAnything.Rle;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>500 masks against 500 masks of 640 x 480.</summary>
public unsafe class IouMatrixBenchmarks
{
    private const int Count = 500, Width = 640, Height = 480;
    private RleMask[] _detections = [], _truths = [];
    private nint _detectionLists, _detectionRuns, _truthLists, _truthRuns;
    private double* _ratios;

    [Params("blob 0.5 %", "blob 5 %", "blob 30 %")]
    public string Shape { get; set; } = "blob 5 %";

    [GlobalSetup]
    public void Setup()
    {
        _detections = [.. Enumerable.Range(0, Count).Select(i => RleShapes.Mask(Shape, Width, Height, i))];
        _truths = [.. Enumerable.Range(Count, Count).Select(i => RleShapes.Mask(Shape, Width, Height, i))];
        (_detectionLists, _detectionRuns) = Lists(_detections);
        (_truthLists, _truthRuns) = Lists(_truths);
        _ratios = (double*)NativeMemory.Alloc(Count * Count, sizeof(double));
    }

    [Benchmark(Baseline = true)]
    public void InC() => NativeBaseline.Iou(
        (uint**)_detectionLists, (int*)_detectionRuns, Count, (uint**)_truthLists, (int*)_truthRuns, Count, Width, Height, _ratios);

    [Benchmark]
    public double[,] Ours() => IouMatrix.Masks(_detections, _truths);

    private static (nint Lists, nint Runs) Lists(RleMask[] masks)
    {
        nint* lists = (nint*)NativeMemory.Alloc((nuint)masks.Length, (nuint)sizeof(nint));
        int* runs = (int*)NativeMemory.Alloc((nuint)masks.Length, sizeof(int));
        for (int i = 0; i < masks.Length; i++)
        {
            runs[i] = masks[i].Counts.Length;
            lists[i] = (nint)NativeMemory.Alloc((nuint)runs[i], sizeof(int));
            masks[i].Counts.CopyTo(new Span<int>((void*)lists[i], runs[i]));
        }

        return ((nint)lists, (nint)runs);
    }
}

/// <summary>Outlines of 16 to 512 points.</summary>
public unsafe class PolygonBenchmarks
{
    private double[] _polygon = [];
    private double* _native;
    private uint* _result;

    [Params(16, 128, 512)]
    public int Points { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _polygon = RleShapes.Polygon(Points, 1800, 1200);
        _native = (double*)NativeMemory.Alloc((nuint)_polygon.Length, sizeof(double));
        _polygon.CopyTo(new Span<double>(_native, _polygon.Length));
        _result = (uint*)NativeMemory.Alloc((1800 * 1200) + 1, sizeof(uint));
    }

    [Benchmark(Baseline = true)]
    public int InC() => NativeBaseline.Polygon(_native, Points, 1800, 1200, _result);

    [Benchmark]
    public int[] Scalar() => RleKernels.FillPolygonsScalar([_polygon], 1800, 1200);

    [Benchmark]
    public RleMask Ours() => RleMask.FromPolygon(_polygon, 1800, 1200);
}

/// <summary>Suppression among 3,000 boxes; C gets them sorted, ours sorts.</summary>
public unsafe class SuppressionBenchmarks
{
    private const int Count = 3000;
    private float[] _boxes = [], _scores = [];
    private int[] _order = [];
    private float* _sorted;
    private byte* _keep;

    [Params(0.3f, 0.7f)]
    public float Threshold { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_boxes, _scores) = RleShapes.Boxes(Count, 1800, 1200);
        _order = NonMaximumSuppression.OrderByScore(_scores);
        _sorted = (float*)NativeMemory.Alloc(4 * Count, sizeof(float));
        for (int i = 0; i < Count; i++) _boxes.AsSpan(4 * _order[i], 4).CopyTo(new Span<float>(_sorted + (4 * i), 4));
        _keep = (byte*)NativeMemory.Alloc(Count);
    }

    [Benchmark(Baseline = true)]
    public int InC() => NativeBaseline.Suppress(_sorted, Count, Threshold, _keep);

    [Benchmark]
    public int[] Scalar() => BoxKernels.SuppressScalar(_boxes, _order, Threshold);

    [Benchmark]
    public int[] Vector256() => BoxKernels.SuppressVector256(_boxes, _order, Threshold);

    [Benchmark]
    public int[] Ours() => NonMaximumSuppression.Boxes(_boxes, _scores, Threshold);
}

/// <summary>A batch of 1,000 masks of 640 x 480, as a data set is converted.</summary>
public unsafe class BatchBenchmarks
{
    private const int Count = 1000, Width = 640, Height = 480;
    private byte[][] _bitmaps = [];
    private nint[] _native = [];
    private byte* _scratch;
    private uint* _result;

    [GlobalSetup]
    public void Setup()
    {
        _bitmaps = [.. Enumerable.Range(0, 50).Select(i => RleShapes.Bitmap(RleShapes.Names[i % 3], Width, Height, i))];
        _native = [.. _bitmaps.Select(bitmap =>
        {
            byte* copy = (byte*)NativeMemory.Alloc((nuint)bitmap.Length);
            bitmap.CopyTo(new Span<byte>(copy, bitmap.Length));
            return (nint)copy;
        })];
        _scratch = (byte*)NativeMemory.Alloc(Width * Height);
        _result = (uint*)NativeMemory.Alloc((Width * Height) + 1, sizeof(uint));
    }

    [Benchmark(Baseline = true)]
    public int EncodeRowsInC()
    {
        int runs = 0;
        for (int i = 0; i < Count; i++)
            runs += NativeBaseline.EncodeRows((byte*)_native[i % _native.Length], Width, Height, _scratch, _result);
        return runs;
    }

    [Benchmark]
    public int FromBitmap()
    {
        int runs = 0;
        for (int i = 0; i < Count; i++) runs += RleMask.FromBitmap(_bitmaps[i % _bitmaps.Length], Width, Height).Counts.Length;
        return runs;
    }

    [Benchmark]
    public int FromBitmapToText()
    {
        int characters = 0;
        for (int i = 0; i < Count; i++) characters += RleMask.FromBitmap(_bitmaps[i % _bitmaps.Length], Width, Height).ToCocoUtf8().Length;
        return characters;
    }
}
