using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Rle;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>
/// One mask in all the forms that the benchmarks need, in memory that C can read. The baseline of each class is the plain way
/// in C; where there is no compiler it fails and the scalar definition remains.
/// </summary>
public abstract unsafe class RleBenchmarks
{
    [Params("640x480", "1800x1200")]
    public string Size { get; set; } = "640x480";

    [Params("blob 0.5 %", "blob 5 %", "blob 30 %", "noise")]
    public string Shape { get; set; } = "blob 5 %";

    protected int Width { get; private set; }

    protected int Height { get; private set; }

    protected byte[] Bitmap { get; private set; } = [];

    protected byte[] Columns { get; private set; } = [];

    protected float[] Logits { get; private set; } = [];

    protected byte[] Destination { get; private set; } = [];

    protected byte[] Text { get; private set; } = [];

    protected RleMask Mask { get; private set; } = RleMask.Empty(1, 1);

    protected RleMask Other { get; private set; } = RleMask.Empty(1, 1);

    protected int Runs => Mask.Counts.Length;

    private protected byte* NativePixels { get; private set; }

    private protected byte* NativeColumns { get; private set; }

    private protected byte* NativeScratch { get; private set; }

    private protected byte* NativeText { get; private set; }

    private protected uint* NativeCounts { get; private set; }

    private protected uint* NativeOther { get; private set; }

    private protected uint* NativeResult { get; private set; }

    private protected int* NativeLabels { get; private set; }

    private protected int* NativeParents { get; private set; }

    [GlobalSetup]
    public void Setup()
    {
        string[] sides = Size.Split('x');
        (Width, Height) = (int.Parse(sides[0]), int.Parse(sides[1]));
        Bitmap = RleShapes.Bitmap(Shape, Width, Height);
        Mask = RleMask.FromBitmap(Bitmap, Width, Height);
        Other = RleShapes.Mask(Shape, Width, Height, seed: 2);
        Columns = new byte[Bitmap.Length];
        Mask.ToColumnMajor(Columns);
        Logits = [.. Bitmap.Select(pixel => pixel - 0.5f)];
        Destination = new byte[Bitmap.Length];
        Text = Mask.ToCocoUtf8();
        NativePixels = Copy<byte>(Bitmap);
        NativeColumns = Copy<byte>(Columns);
        NativeScratch = Copy<byte>(new byte[Math.Max(Bitmap.Length, (7 * Runs) + 8)]);
        NativeText = Copy<byte>([.. Text, 0]);
        NativeCounts = Copy(MemoryMarshal.Cast<int, uint>(Mask.Counts));
        NativeOther = Copy(MemoryMarshal.Cast<int, uint>(Other.Counts));
        NativeResult = Copy<uint>(new uint[Bitmap.Length + 1]);
        NativeLabels = Copy<int>(new int[Bitmap.Length]);
        NativeParents = Copy<int>(new int[(Bitmap.Length / 2) + 2]);
    }

    private static T* Copy<T>(ReadOnlySpan<T> source)
        where T : unmanaged
    {
        T* copy = (T*)NativeMemory.Alloc((nuint)source.Length, (nuint)sizeof(T));
        source.CopyTo(new Span<T>(copy, source.Length));
        return copy;
    }
}

/// <summary>Pixels to runs.</summary>
public unsafe class EncodeBenchmarks : RleBenchmarks
{
    [Benchmark(Baseline = true), BytesPerPixel(1)]
    public int ColumnsInC() => NativeBaseline.Encode(NativeColumns, Columns.Length, NativeResult);

    [Benchmark, BytesPerPixel(1)]
    public int[] ColumnsScalar() => RleKernels.FindRunsScalar(Columns);

    [Benchmark, BytesPerPixel(1)]
    public int[] ColumnsVector256() => RleKernels.FindRunsVector256(Columns);

    [Benchmark, BytesPerPixel(1)]
    public int[] ColumnsVector512() => RleKernels.FindRunsVector512(Columns);

    [Benchmark, BytesPerPixel(1)]
    public int RowsInC() => NativeBaseline.EncodeRows(NativePixels, Width, Height, NativeScratch, NativeResult);

    [Benchmark, BytesPerPixel(1)]
    public int[] RowsScalar() => RleKernels.FindRunsRowMajorScalar(Bitmap, Width, Height, Width);

    [Benchmark, BytesPerPixel(1)]
    public int[] RowsVector256() => RleKernels.FindRunsRowMajorVector256(Bitmap, Width, Height, Width);

    [Benchmark, BytesPerPixel(1)]
    public int[] RowsVector512() => RleKernels.FindRunsRowMajorVector512(Bitmap, Width, Height, Width);

    [Benchmark, BytesPerPixel(4)]
    public RleMask FromLogits() => RleMask.FromLogits(Logits, Width, Height);
}

/// <summary>Runs to pixels.</summary>
public unsafe class DecodeBenchmarks : RleBenchmarks
{
    [Benchmark(Baseline = true), BytesPerPixel(1)]
    public void ColumnsInC() => NativeBaseline.Decode(NativeCounts, Runs, NativeScratch);

    [Benchmark, BytesPerPixel(1)]
    public void ColumnsScalar() => RleKernels.FillRunsScalar(Mask.Counts, 1, Destination);

    [Benchmark, BytesPerPixel(1)]
    public void ColumnsVector256() => RleKernels.FillRunsVector256(Mask.Counts, 1, Destination);

    [Benchmark, BytesPerPixel(1)]
    public void ColumnsVector512() => RleKernels.FillRunsVector512(Mask.Counts, 1, Destination);

    [Benchmark, BytesPerPixel(1)]
    public void RowsInC() => NativeBaseline.DecodeRows(NativeCounts, Runs, Width, Height, NativeScratch, NativePixels);

    [Benchmark, BytesPerPixel(1)]
    public void RowsVector256() => RleKernels.FillRunsRowMajorVector256(Mask.Counts, Width, Height, 1, Destination, Width);

    [Benchmark, BytesPerPixel(1)]
    public void RowsVector512() => RleKernels.FillRunsRowMajorVector512(Mask.Counts, Width, Height, 1, Destination, Width);
}

/// <summary>Area and box.</summary>
public unsafe class MeasureBenchmarks : RleBenchmarks
{
    [Benchmark(Baseline = true)]
    public uint AreaInC() => NativeBaseline.Area(NativeCounts, Runs);

    [Benchmark]
    public long AreaScalar() => RleKernels.AreaScalar(Mask.Counts);

    [Benchmark]
    public long Area() => Mask.Area;

    [Benchmark]
    public void BoxInC() => NativeBaseline.Box(NativeCounts, Runs, Width, Height, NativeResult);

    [Benchmark]
    public MaskBox BoxScalar() => RleKernels.BoundingBoxScalar(Mask.Counts, Height);

    [Benchmark]
    public MaskBox Box() => Mask.BoundingBox;
}

/// <summary>Runs to text and back.</summary>
public unsafe class TextBenchmarks : RleBenchmarks
{
    [Benchmark(Baseline = true)]
    public int WriteInC() => NativeBaseline.ToText(NativeCounts, Runs, NativeScratch);

    [Benchmark]
    public int WriteScalar() => RleKernels.WriteTextScalar(Mask.Counts, Destination);

    [Benchmark]
    public byte[] Write() => Mask.ToCocoUtf8();

    [Benchmark]
    public int ReadInC() => NativeBaseline.FromText(NativeText, NativeResult);

    [Benchmark]
    public RleMask Read() => RleMask.FromCocoString(Text, Width, Height);
}

/// <summary>Two masks to one.</summary>
public unsafe class SetOperationBenchmarks : RleBenchmarks
{
    [Benchmark(Baseline = true)]
    public int UnionInC() => NativeBaseline.Merge(NativeCounts, Runs, NativeOther, Other.Counts.Length, 0, NativeResult);

    [Benchmark]
    public int[] UnionScalar() => RleKernels.CombineScalar(Mask.Counts, Other.Counts, BooleanOperation.Union);

    [Benchmark]
    public RleMask Union() => Mask.Union(Other);

    [Benchmark]
    public int IntersectionInC() => NativeBaseline.Merge(NativeCounts, Runs, NativeOther, Other.Counts.Length, 1, NativeResult);

    [Benchmark]
    public RleMask Intersection() => Mask.Intersection(Other);

    [Benchmark]
    public long IntersectionArea() => Mask.IntersectionArea(Other);
}

/// <summary>Connected regions: on runs against a labelling of pixels.</summary>
public unsafe class ComponentBenchmarks : RleBenchmarks
{
    [Benchmark(Baseline = true)]
    public int PixelsInC() => NativeBaseline.Components(NativePixels, Width, Height, NativeLabels, NativeParents);

    [Benchmark]
    public int Label()
    {
        using RunComponents found = RunComponents.Find(Mask.Counts, Height, foreground: true, PixelConnectivity.Eight);
        return found.Count;
    }

    [Benchmark]
    public RleMask Clean() => Mask.FillSmallHoles(100).Mask.RemoveSmallRegions(100).Mask;
}
