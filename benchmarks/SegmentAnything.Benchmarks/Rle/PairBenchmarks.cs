using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Rle;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>500 masks against 500 masks of 640 x 480.</summary>
[Config(typeof(RleBenchmarkSettings))]
public unsafe class IouMatrixBenchmarks
{
    private const int Count = 500, Width = 640, Height = 480;
    private static readonly Dictionary<string, RleMask[]> Made = [];
    private RleMask[] _detections = [], _truths = [];
    private nint _detectionLists, _detectionRuns, _truthLists, _truthRuns;
    private double* _ratios;
    private readonly double[] _written = new double[Count * Count];

    [Params("blob 0.5 %", "blob 5 %", "blob 30 %")]
    public string Shape { get; set; } = "blob 5 %";

    [GlobalSetup]
    public void Setup()
    {
        if (!Made.TryGetValue(Shape, out RleMask[]? masks))
            Made.Add(Shape, masks = [.. Enumerable.Range(0, 2 * Count).Select(i => RleShapes.Mask(Shape, Width, Height, i))]);
        (_detections, _truths) = (masks[..Count], masks[Count..]);
        (_detectionLists, _detectionRuns) = Lists(_detections);
        (_truthLists, _truthRuns) = Lists(_truths);
        _ratios = (double*)NativeMemory.Alloc(Count * Count, sizeof(double));
        RleBenchmarks.WarmUp(() => IouMatrix.Masks(_detections[..50], _truths[..50]));
        double[,] ours = Ours(), scalar = Scalar();
        IntoMatrix();
        if (NativeBaseline.IsAvailable) C();
        for (int d = 0; d < Count; d++)
        {
            for (int g = 0; g < Count; g++)
            {
                if (ours[d, g] != scalar[d, g] || ours[d, g] != _written[(d * Count) + g] || (NativeBaseline.IsAvailable && ours[d, g] != _ratios[(g * Count) + d]))
                    throw new InvalidOperationException($"Pair {d}, {g}: the answers differ.");
            }
        }
    }

    [Benchmark(Baseline = true)]
    public void C() => NativeBaseline.Iou(
        (uint**)_detectionLists, (int*)_detectionRuns, Count, (uint**)_truthLists, (int*)_truthRuns, Count, Width, Height, _ratios);

    [Benchmark(Description = "scalar")]
    public double[,] Scalar()
    {
        var ratios = new double[Count, Count];
        for (int d = 0; d < Count; d++)
        {
            for (int g = 0; g < Count; g++)
            {
                long both = RleKernels.IntersectionAreaScalar(_detections[d].Counts, _truths[g].Counts);
                if (both != 0) ratios[d, g] = both / (double)(_detections[d].Area + _truths[g].Area - both);
            }
        }

        return ratios;
    }

    [Benchmark(Description = "ours, into a matrix")]
    public void IntoMatrix() => IouMatrix.Masks(_detections, _truths, default, _written);

    [Benchmark(Description = "ours")]
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
[Config(typeof(RleBenchmarkSettings))]
public unsafe class PolygonBenchmarks
{
    private double[] _polygon = [];
    private double* _native;
    private uint* _result;
    private int _width, _height;

    [Params("640x480", "1800x1200")]
    public string Size { get; set; } = "640x480";

    [Params(16, 128, 512)]
    public int Points { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        string[] sides = Size.Split('x');
        (_width, _height) = (int.Parse(sides[0]), int.Parse(sides[1]));
        _polygon = RleShapes.Polygon(Points, _width, _height);
        _native = (double*)NativeMemory.Alloc((nuint)_polygon.Length, sizeof(double));
        _polygon.CopyTo(new Span<double>(_native, _polygon.Length));
        _result = (uint*)NativeMemory.Alloc((nuint)((_width * _height) + 1), sizeof(uint));
        RleBenchmarks.WarmUp(() =>
        {
            if (!Scalar().AsSpan().SequenceEqual(Ours().Counts)) throw new InvalidOperationException("The answers differ.");
        });
        if (NativeBaseline.IsAvailable && !new ReadOnlySpan<int>(_result, C()).SequenceEqual(Ours().Counts))
            throw new InvalidOperationException("The answer of C is another.");
    }

    [Benchmark(Baseline = true)]
    public int C() => NativeBaseline.Polygon(_native, Points, _width, _height, _result);

    [Benchmark(Description = "scalar")]
    public int[] Scalar() => RleKernels.FillPolygonsScalar([_polygon], _width, _height);

    [Benchmark(Description = "ours")]
    public RleMask Ours() => RleMask.FromPolygon(_polygon, _width, _height);
}

/// <summary>Suppression among 3,000 boxes; C and the scalar definition get them sorted, ours sorts.</summary>
[Config(typeof(RleBenchmarkSettings))]
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
        RleBenchmarks.WarmUp(() => Ours());
        int[] expected = [.. Scalar().Select(place => _order[place])];
        if (!expected.AsSpan().SequenceEqual(Ours())) throw new InvalidOperationException("The answers differ.");
        if (NativeBaseline.IsAvailable && C() != expected.Length) throw new InvalidOperationException("The answer of C is another.");
    }

    [Benchmark(Baseline = true)]
    public int C() => NativeBaseline.Suppress(_sorted, Count, Threshold, _keep);

    [Benchmark(Description = "scalar")]
    public int[] Scalar() => BoxKernels.SuppressScalar(_boxes, _order, Threshold);

    [Benchmark(Description = "ours")]
    public int[] Ours() => NonMaximumSuppression.Boxes(_boxes, _scores, Threshold);
}

/// <summary>A batch of 1,000 masks of 640 x 480 (50 blobs of the three sizes, again and again), as a data set is converted.</summary>
[Config(typeof(RleBenchmarkSettings))]
public unsafe class BatchBenchmarks
{
    private const int Count = 1000, Width = 640, Height = 480;
    private static readonly byte[][] Bitmaps =
        [.. Enumerable.Range(0, 50).Select(i => RleShapes.Bitmap(RleShapes.Names[i % 3], Width, Height, i))];

    private nint[] _native = [];
    private byte* _scratch;
    private uint* _result;

    [Params("1000x307200")]
    public string Size { get; set; } = "1000x307200";

    [GlobalSetup]
    public void Setup()
    {
        _native = [.. Bitmaps.Select(bitmap =>
        {
            byte* copy = (byte*)NativeMemory.Alloc((nuint)bitmap.Length);
            bitmap.CopyTo(new Span<byte>(copy, bitmap.Length));
            return (nint)copy;
        })];
        _scratch = (byte*)NativeMemory.Alloc(Width * Height);
        _result = (uint*)NativeMemory.Alloc((Width * Height) + 1, sizeof(uint));
        RleBenchmarks.WarmUp(() => _ = RleMask.FromBitmap(Bitmaps[0], Width, Height).ToCocoUtf8());
        if (Ours() != Scalar()) throw new InvalidOperationException("The answers differ.");
        if (NativeBaseline.IsAvailable && Ours() != C()) throw new InvalidOperationException("The answer of C is another.");
    }

    [Benchmark(Baseline = true), BytesPerPixel(1)]
    public int C()
    {
        int runs = 0;
        for (int i = 0; i < Count; i++)
            runs += NativeBaseline.EncodeRows((byte*)_native[i % _native.Length], Width, Height, _scratch, _result);
        return runs;
    }

    [Benchmark(Description = "scalar"), BytesPerPixel(1)]
    public int Scalar()
    {
        int runs = 0;
        for (int i = 0; i < Count; i++)
            runs += RleKernels.FindRunsRowMajorScalar(Bitmaps[i % Bitmaps.Length], Width, Height, Width).Length;
        return runs;
    }

    [Benchmark(Description = "ours"), BytesPerPixel(1)]
    public int Ours()
    {
        int runs = 0;
        for (int i = 0; i < Count; i++) runs += RleMask.FromBitmap(Bitmaps[i % Bitmaps.Length], Width, Height).Counts.Length;
        return runs;
    }

    [Benchmark(Description = "ours, to text"), BytesPerPixel(1)]
    public int ToText()
    {
        int characters = 0;
        for (int i = 0; i < Count; i++) characters += RleMask.FromBitmap(Bitmaps[i % Bitmaps.Length], Width, Height).ToCocoUtf8().Length;
        return characters;
    }
}
