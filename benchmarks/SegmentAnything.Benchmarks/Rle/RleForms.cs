using System.Runtime.InteropServices;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>One mask (and another of its kind) in all the forms that the benchmarks need, also in memory that C can read.</summary>
internal sealed unsafe class RleForms
{
    public RleForms(string shape, string size)
    {
        string[] sides = size.Split('x');
        (Width, Height) = (int.Parse(sides[0]), int.Parse(sides[1]));
        Bitmap = RleShapes.Bitmap(shape, Width, Height);
        Mask = RleMask.FromBitmap(Bitmap, Width, Height);
        Other = RleShapes.Mask(shape, Width, Height, seed: 2);
        Columns = new byte[Pixels];
        Mask.ToColumnMajor(Columns);
        Logits = [.. Bitmap.Select(pixel => pixel - 0.5f)];
        Written = new byte[Pixels];
        Text = Mask.ToCocoUtf8();
        WrittenText = new byte[(7 * Runs) + 8];
        ReadCounts = new int[Runs];
        NativePixels = Copy<byte>(Bitmap);
        NativeColumns = Copy<byte>(Columns);
        NativeScratch = Copy<byte>(new byte[Math.Max(Pixels, (7 * Runs) + 8)]);
        NativeWritten = Copy<byte>(new byte[Pixels]);
        NativeText = Copy<byte>([.. Text, 0]);
        NativeCounts = Copy(MemoryMarshal.Cast<int, uint>(Mask.Counts));
        NativeOther = Copy(MemoryMarshal.Cast<int, uint>(Other.Counts));
        NativeResult = Copy<uint>(new uint[Pixels + 1]);
        NativeLabels = Copy<int>(new int[Pixels]);
        NativeParents = Copy<int>(new int[(Pixels / 2) + 2]);
    }

    public int Width { get; }

    public int Height { get; }

    public int Pixels => Width * Height;

    public RleMask Mask { get; }

    public RleMask Other { get; }

    public int Runs => Mask.Counts.Length;

    public byte[] Bitmap { get; }

    public byte[] Columns { get; }

    public float[] Logits { get; }

    public byte[] Written { get; }

    public byte[] Text { get; }

    public byte[] WrittenText { get; }

    public int[] ReadCounts { get; }

    public byte* NativePixels { get; }

    public byte* NativeColumns { get; }

    public byte* NativeScratch { get; }

    public byte* NativeWritten { get; }

    public byte* NativeText { get; }

    public uint* NativeCounts { get; }

    public uint* NativeOther { get; }

    public uint* NativeResult { get; }

    public int* NativeLabels { get; }

    public int* NativeParents { get; }

    /// <summary>Whether C has written the runs of the mask.</summary>
    public bool IsMask(int runs) => IsEqual(runs, Mask);

    /// <summary>Whether C has written the runs of a mask.</summary>
    public bool IsEqual(int runs, RleMask mask) => new ReadOnlySpan<int>(NativeResult, runs).SequenceEqual(mask.Counts);

    private static T* Copy<T>(ReadOnlySpan<T> source)
        where T : unmanaged
    {
        T* copy = (T*)NativeMemory.Alloc((nuint)source.Length, (nuint)sizeof(T));
        source.CopyTo(new Span<T>(copy, source.Length));
        return copy;
    }
}
