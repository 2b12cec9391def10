using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Rle;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>Operations on one mask or two; the answers of all rows are compared in the setup.</summary>
[Config(typeof(RleBenchmarkSettings))]
public abstract class RleBenchmarks
{
    private static readonly Dictionary<(string, string), RleForms> Made = [];
    private static readonly HashSet<Type> Warm = [];

    [Params("640x480", "1800x1200")]
    public string Size { get; set; } = "640x480";

    [Params("blob 0.5 %", "blob 5 %", "blob 30 %", "noise")]
    public string Shape { get; set; } = "blob 5 %";

    private protected RleForms Forms { get; private set; } = null!;

    [GlobalSetup]
    public void Setup()
    {
        if (!Made.TryGetValue((Shape, Size), out RleForms? forms)) Made.Add((Shape, Size), forms = new RleForms(Shape, Size));
        Forms = forms;
        if (NativeBaseline.IsAvailable) CompareWithC();
        CompareWithScalar();
        if (Warm.Add(GetType())) WarmUp(CompareWithScalar);
    }

    /// <summary>Throws unless C and ours give the same.</summary>
    protected abstract void CompareWithC();

    /// <summary>Throws unless the scalar definition and ours give the same.</summary>
    protected abstract void CompareWithScalar();

    /// <summary>
    /// Calls until the runtime has compiled the code for good: it does so behind the scenes, after 30 calls and some time.
    /// </summary>
    internal static void WarmUp(Action action)
    {
        for (int round = 0; round < 3; round++)
        {
            for (int call = 0; call < 40; call++) action();
            Thread.Sleep(150);
        }
    }

    private protected static void Check(bool isEqual, string what)
    {
        if (!isEqual) throw new InvalidOperationException($"{what}: the answers differ.");
    }
}

/// <summary>Pixels to runs.</summary>
public unsafe class EncodeBenchmarks : RleBenchmarks
{
    protected override void CompareWithC()
    {
        Check(Forms.IsMask(ColumnsC()), "columns, C");
        Check(Forms.IsMask(RowsC()), "rows, C");
    }

    protected override void CompareWithScalar()
    {
        Check(ColumnsScalar().AsSpan().SequenceEqual(Columns().Counts), "columns, scalar");
        Check(RowsScalar().AsSpan().SequenceEqual(Rows().Counts), "rows, scalar");
        Check(LogitsScalar().AsSpan().SequenceEqual(Logits().Counts), "logits, scalar");
    }

    [BenchmarkCategory("columns"), Benchmark(Baseline = true, Description = "C"), BytesPerPixel(1)]
    public int ColumnsC() => NativeBaseline.Encode(Forms.NativeColumns, Forms.Pixels, Forms.NativeResult);

    [BenchmarkCategory("columns"), Benchmark(Description = "scalar"), BytesPerPixel(1)]
    public int[] ColumnsScalar() => RleKernels.FindRunsScalar(Forms.Columns);

    [BenchmarkCategory("columns"), Benchmark(Description = "ours"), BytesPerPixel(1)]
    public RleMask Columns() => RleMask.FromColumnMajor(Forms.Columns, Forms.Width, Forms.Height);

    [BenchmarkCategory("rows"), Benchmark(Baseline = true, Description = "C"), BytesPerPixel(1)]
    public int RowsC() => NativeBaseline.EncodeRows(
        Forms.NativePixels, Forms.Width, Forms.Height, Forms.NativeScratch, Forms.NativeResult);

    [BenchmarkCategory("rows"), Benchmark(Description = "scalar"), BytesPerPixel(1)]
    public int[] RowsScalar() => RleKernels.FindRunsRowMajorScalar(Forms.Bitmap, Forms.Width, Forms.Height, Forms.Width);

    [BenchmarkCategory("rows"), Benchmark(Description = "ours"), BytesPerPixel(1)]
    public RleMask Rows() => RleMask.FromBitmap(Forms.Bitmap, Forms.Width, Forms.Height);

    [BenchmarkCategory("logits"), Benchmark(Description = "scalar"), BytesPerPixel(4)]
    public int[] LogitsScalar() => RleKernels.FindRunsOfLogitsScalar(Forms.Logits, Forms.Width, Forms.Height, Forms.Width, 0);

    [BenchmarkCategory("logits"), Benchmark(Description = "ours"), BytesPerPixel(4)]
    public RleMask Logits() => RleMask.FromLogits(Forms.Logits, Forms.Width, Forms.Height);
}

/// <summary>Runs to pixels.</summary>
public unsafe class DecodeBenchmarks : RleBenchmarks
{
    protected override void CompareWithC()
    {
        ColumnsC();
        Check(new ReadOnlySpan<byte>(Forms.NativeScratch, Forms.Pixels).SequenceEqual(Forms.Columns), "columns, C");
        RowsC();
        Check(new ReadOnlySpan<byte>(Forms.NativeWritten, Forms.Pixels).SequenceEqual(Forms.Bitmap), "rows, C");
    }

    protected override void CompareWithScalar()
    {
        ColumnsScalar();
        Check(Forms.Written.AsSpan().SequenceEqual(Forms.Columns), "columns, scalar");
        RowsScalar();
        Check(Forms.Written.AsSpan().SequenceEqual(Forms.Bitmap), "rows, scalar");
        Columns();
        Check(Forms.Written.AsSpan().SequenceEqual(Forms.Columns), "columns");
        Rows();
        Check(Forms.Written.AsSpan().SequenceEqual(Forms.Bitmap), "rows");
    }

    [BenchmarkCategory("columns"), Benchmark(Baseline = true, Description = "C"), BytesPerPixel(1)]
    public void ColumnsC() => NativeBaseline.Decode(Forms.NativeCounts, Forms.Runs, Forms.NativeScratch);

    [BenchmarkCategory("columns"), Benchmark(Description = "scalar"), BytesPerPixel(1)]
    public void ColumnsScalar() => RleKernels.FillRunsScalar(Forms.Mask.Counts, 1, Forms.Written);

    [BenchmarkCategory("columns"), Benchmark(Description = "ours"), BytesPerPixel(1)]
    public void Columns() => Forms.Mask.ToColumnMajor(Forms.Written);

    [BenchmarkCategory("rows"), Benchmark(Baseline = true, Description = "C"), BytesPerPixel(1)]
    public void RowsC() => NativeBaseline.DecodeRows(
        Forms.NativeCounts, Forms.Runs, Forms.Width, Forms.Height, Forms.NativeScratch, Forms.NativeWritten);

    [BenchmarkCategory("rows"), Benchmark(Description = "scalar"), BytesPerPixel(1)]
    public void RowsScalar() => RleKernels.FillRunsRowMajorScalar(
        Forms.Mask.Counts, Forms.Width, Forms.Height, 1, Forms.Written, Forms.Width);

    [BenchmarkCategory("rows"), Benchmark(Description = "ours"), BytesPerPixel(1)]
    public void Rows() => Forms.Mask.ToBitmap(Forms.Written);
}

/// <summary>Area and box.</summary>
public unsafe class MeasureBenchmarks : RleBenchmarks
{
    protected override void CompareWithC()
    {
        Check(AreaC() == Area(), "area, C");
        BoxC();
        uint* box = Forms.NativeResult;
        Check(new MaskBox((int)box[0], (int)box[1], (int)box[2], (int)box[3]) == Box(), "box, C");
    }

    protected override void CompareWithScalar()
    {
        Check(AreaScalar() == Area(), "area, scalar");
        Check(BoxScalar() == Box(), "box, scalar");
    }

    [BenchmarkCategory("area"), Benchmark(Baseline = true, Description = "C")]
    public uint AreaC()
    {
        NativeBaseline.Area(Forms.NativeCounts, Forms.Runs, Forms.NativeResult);
        return *Forms.NativeResult;
    }

    [BenchmarkCategory("area"), Benchmark(Description = "C, sum in a register")]
    public uint AreaInARegisterC() => NativeBaseline.AreaInARegister(Forms.NativeCounts, Forms.Runs);

    [BenchmarkCategory("area"), Benchmark(Description = "scalar")]
    public long AreaScalar() => RleKernels.AreaScalar(Forms.Mask.Counts);

    [BenchmarkCategory("area"), Benchmark(Description = "ours")]
    public long Area() => Forms.Mask.Area;

    [BenchmarkCategory("box"), Benchmark(Baseline = true, Description = "C")]
    public void BoxC() => NativeBaseline.Box(Forms.NativeCounts, Forms.Runs, Forms.Width, Forms.Height, Forms.NativeResult);

    [BenchmarkCategory("box"), Benchmark(Description = "scalar")]
    public MaskBox BoxScalar() => RleKernels.BoundingBoxScalar(Forms.Mask.Counts, Forms.Height);

    [BenchmarkCategory("box"), Benchmark(Description = "ours")]
    public MaskBox Box() => Forms.Mask.BoundingBox;
}

/// <summary>Runs to text and back, to a new array or mask or into memory that is there already.</summary>
public unsafe class TextBenchmarks : RleBenchmarks
{
    protected override void CompareWithC()
    {
        Check(new ReadOnlySpan<byte>(Forms.NativeScratch, WriteC()).SequenceEqual(Write()), "write, C");
        Check(Forms.IsMask(ReadC()), "read, C");
        int runs;
        uint* counts = NativeBaseline.NewFromText(Forms.NativeText, &runs);
        Check(new ReadOnlySpan<int>(counts, runs).SequenceEqual(Forms.Mask.Counts), "read to a new array, C");
        NativeBaseline.Free(counts);
    }

    protected override void CompareWithScalar()
    {
        Check(Forms.WrittenText.AsSpan(0, WriteScalar()).SequenceEqual(Write()), "write, scalar");
        Check(Forms.WrittenText.AsSpan(0, WriteIntoBuffer()).SequenceEqual(Write()), "write into a buffer");
        Check(ReadScalar() == Forms.Runs && Forms.ReadCounts.AsSpan(0, Forms.Runs).SequenceEqual(Read().Counts), "read, scalar");
        Check(ReadIntoBuffer() == Forms.Runs && Forms.ReadCounts.AsSpan(0, Forms.Runs).SequenceEqual(Read().Counts), "read into a buffer");
    }

    [BenchmarkCategory("write"), Benchmark(Baseline = true, Description = "C")]
    public int WriteC() => NativeBaseline.ToText(Forms.NativeCounts, Forms.Runs, Forms.NativeScratch);

    [BenchmarkCategory("write"), Benchmark(Description = "scalar")]
    public int WriteScalar() => RleKernels.WriteTextScalar(Forms.Mask.Counts, Forms.WrittenText);

    [BenchmarkCategory("write"), Benchmark(Description = "ours, into a buffer")]
    public int WriteIntoBuffer() => Forms.Mask.ToCocoUtf8(Forms.WrittenText);

    [BenchmarkCategory("write"), Benchmark(Description = "ours")]
    public byte[] Write() => Forms.Mask.ToCocoUtf8();

    [BenchmarkCategory("read"), Benchmark(Baseline = true, Description = "C")]
    public int ReadC() => NativeBaseline.FromText(Forms.NativeText, Forms.NativeResult);

    [BenchmarkCategory("read"), Benchmark(Description = "C, to a new array")]
    public int ReadToNewArrayC()
    {
        int runs;
        NativeBaseline.Free(NativeBaseline.NewFromText(Forms.NativeText, &runs));
        return runs;
    }

    [BenchmarkCategory("read"), Benchmark(Description = "scalar")]
    public int ReadScalar() => RleKernels.ReadTextScalar(Forms.Text, Forms.ReadCounts);

    [BenchmarkCategory("read"), Benchmark(Description = "ours, into a buffer")]
    public int ReadIntoBuffer() => RleMask.CocoStringToCounts(Forms.Text, Forms.Width, Forms.Height, Forms.ReadCounts);

    [BenchmarkCategory("read"), Benchmark(Description = "ours")]
    public RleMask Read() => RleMask.FromCocoString(Forms.Text, Forms.Width, Forms.Height);
}

/// <summary>Two masks to one.</summary>
public unsafe class SetOperationBenchmarks : RleBenchmarks
{
    protected override void CompareWithC()
    {
        Check(Forms.IsEqual(UnionC(), Union()), "union, C");
        Check(Forms.IsEqual(IntersectionC(), Intersection()), "intersection, C");
    }

    protected override void CompareWithScalar()
    {
        Check(UnionScalar().AsSpan().SequenceEqual(Union().Counts), "union, scalar");
        Check(IntersectionScalar().AsSpan().SequenceEqual(Intersection().Counts), "intersection, scalar");
    }

    [BenchmarkCategory("union"), Benchmark(Baseline = true, Description = "C")]
    public int UnionC() => NativeBaseline.Merge(
        Forms.NativeCounts, Forms.Runs, Forms.NativeOther, Forms.Other.Counts.Length, 0, Forms.NativeResult);

    [BenchmarkCategory("union"), Benchmark(Description = "scalar")]
    public int[] UnionScalar() => RleKernels.CombineScalar(Forms.Mask.Counts, Forms.Other.Counts, BooleanOperation.Union);

    [BenchmarkCategory("union"), Benchmark(Description = "ours")]
    public RleMask Union() => Forms.Mask.Union(Forms.Other);

    [BenchmarkCategory("intersection"), Benchmark(Baseline = true, Description = "C")]
    public int IntersectionC() => NativeBaseline.Merge(
        Forms.NativeCounts, Forms.Runs, Forms.NativeOther, Forms.Other.Counts.Length, 1, Forms.NativeResult);

    [BenchmarkCategory("intersection"), Benchmark(Description = "scalar")]
    public int[] IntersectionScalar() => RleKernels.CombineScalar(Forms.Mask.Counts, Forms.Other.Counts, BooleanOperation.Intersection);

    [BenchmarkCategory("intersection"), Benchmark(Description = "ours")]
    public RleMask Intersection() => Forms.Mask.Intersection(Forms.Other);
}

/// <summary>Connected regions: found on runs, against a labelling of pixels.</summary>
public unsafe class ComponentBenchmarks : RleBenchmarks
{
    protected override void CompareWithC() => Check(PixelsC() == Forms.Mask.ConnectedComponents().Length, "components, C");

    protected override void CompareWithScalar() => Check(Runs() > 0 && MasksOfTheirOwn().Length > 0, "components");

    [BenchmarkCategory("components"), Benchmark(Baseline = true, Description = "C")]
    public int PixelsC() => NativeBaseline.Components(
        Forms.NativePixels, Forms.Width, Forms.Height, Forms.NativeLabels, Forms.NativeParents);

    [BenchmarkCategory("components"), Benchmark(Description = "ours")]
    public int Runs()
    {
        using RunComponents found = RunComponents.Find(Forms.Mask.Counts, Forms.Height, foreground: true, PixelConnectivity.Eight);
        return found.Count;
    }

    [BenchmarkCategory("components"), Benchmark(Description = "ours, a mask for each")]
    public RleMask[] MasksOfTheirOwn() => Forms.Mask.ConnectedComponents();
}
