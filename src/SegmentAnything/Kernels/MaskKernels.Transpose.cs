using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Kernels;

/// <content>Turns rows into columns.</content>
internal static partial class MaskKernels
{
    /// <summary>Writes the top left part of a matrix with its columns as rows.</summary>
    /// <param name="source">Row-major.</param>
    /// <param name="sourceStride">Values from one row to the next.</param>
    /// <param name="rows">Rows that are wanted.</param>
    /// <param name="columns">Columns that are wanted.</param>
    /// <param name="destination">Value (y, x) of the source is written to x * destinationStride + y.</param>
    /// <param name="destinationStride">At least <paramref name="rows"/>.</param>
    internal static void Transpose(
        ReadOnlySpan<float> source, int sourceStride, int rows, int columns, Span<float> destination, int destinationStride)
    {
        if (rows == 0 || columns == 0) return;
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceStride, columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(destinationStride, rows);
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, ((rows - 1) * sourceStride) + columns, nameof(source));
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, ((columns - 1) * destinationStride) + rows, nameof(destination));
        int wholeRows = 0, wholeColumns = 0;
        if (Avx.IsSupported)
        {
            wholeRows = rows & ~7;
            wholeColumns = columns & ~7;
            ref float input = ref MemoryMarshal.GetReference(source);
            ref float output = ref MemoryMarshal.GetReference(destination);
            for (int y = 0; y < wholeRows; y += 8)
            {
                for (int x = 0; x < wholeColumns; x += 8)
                {
                    Transpose8x8(ref Unsafe.Add(ref input, (y * sourceStride) + x), sourceStride,
                        ref Unsafe.Add(ref output, (x * destinationStride) + y), destinationStride);
                }
            }
        }

        TransposeScalar(source, sourceStride, 0, rows, wholeColumns, columns, destination, destinationStride);
        TransposeScalar(source, sourceStride, wholeRows, rows, 0, wholeColumns, destination, destinationStride);
    }

    internal static void TransposeScalar(
        ReadOnlySpan<float> source, int sourceStride, int firstRow, int endRow, int firstColumn, int endColumn,
        Span<float> destination, int destinationStride)
    {
        for (int y = firstRow; y < endRow; y++)
        {
            for (int x = firstColumn; x < endColumn; x++)
                destination[(x * destinationStride) + y] = source[(y * sourceStride) + x];
        }
    }

    // Pairs of values, pairs of pairs, then halves:
    //   unpack     a0 b0 a1 b1 | a4 b4 a5 b5
    //   shuffle    a0 b0 c0 d0 | a4 b4 c4 d4
    //   permute    a0 b0 c0 d0 | e0 f0 g0 h0
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8x8(ref float source, int sourceStride, ref float destination, int destinationStride)
    {
        Vector256<float> a = Vector256.LoadUnsafe(ref source);
        Vector256<float> b = Vector256.LoadUnsafe(ref source, (nuint)sourceStride);
        Vector256<float> c = Vector256.LoadUnsafe(ref source, (nuint)(2 * sourceStride));
        Vector256<float> d = Vector256.LoadUnsafe(ref source, (nuint)(3 * sourceStride));
        Vector256<float> e = Vector256.LoadUnsafe(ref source, (nuint)(4 * sourceStride));
        Vector256<float> f = Vector256.LoadUnsafe(ref source, (nuint)(5 * sourceStride));
        Vector256<float> g = Vector256.LoadUnsafe(ref source, (nuint)(6 * sourceStride));
        Vector256<float> h = Vector256.LoadUnsafe(ref source, (nuint)(7 * sourceStride));

        (Vector256<float> ab0, Vector256<float> ab1) = (Avx.UnpackLow(a, b), Avx.UnpackHigh(a, b));
        (Vector256<float> cd0, Vector256<float> cd1) = (Avx.UnpackLow(c, d), Avx.UnpackHigh(c, d));
        (Vector256<float> ef0, Vector256<float> ef1) = (Avx.UnpackLow(e, f), Avx.UnpackHigh(e, f));
        (Vector256<float> gh0, Vector256<float> gh1) = (Avx.UnpackLow(g, h), Avx.UnpackHigh(g, h));

        const byte Low = 0b01_00_01_00, High = 0b11_10_11_10;
        Vector256<float> abcd0 = Avx.Shuffle(ab0, cd0, Low), abcd1 = Avx.Shuffle(ab0, cd0, High);
        Vector256<float> abcd2 = Avx.Shuffle(ab1, cd1, Low), abcd3 = Avx.Shuffle(ab1, cd1, High);
        Vector256<float> efgh0 = Avx.Shuffle(ef0, gh0, Low), efgh1 = Avx.Shuffle(ef0, gh0, High);
        Vector256<float> efgh2 = Avx.Shuffle(ef1, gh1, Low), efgh3 = Avx.Shuffle(ef1, gh1, High);

        const byte Lower = 0x20, Upper = 0x31;
        Avx.Permute2x128(abcd0, efgh0, Lower).StoreUnsafe(ref destination);
        Avx.Permute2x128(abcd1, efgh1, Lower).StoreUnsafe(ref destination, (nuint)destinationStride);
        Avx.Permute2x128(abcd2, efgh2, Lower).StoreUnsafe(ref destination, (nuint)(2 * destinationStride));
        Avx.Permute2x128(abcd3, efgh3, Lower).StoreUnsafe(ref destination, (nuint)(3 * destinationStride));
        Avx.Permute2x128(abcd0, efgh0, Upper).StoreUnsafe(ref destination, (nuint)(4 * destinationStride));
        Avx.Permute2x128(abcd1, efgh1, Upper).StoreUnsafe(ref destination, (nuint)(5 * destinationStride));
        Avx.Permute2x128(abcd2, efgh2, Upper).StoreUnsafe(ref destination, (nuint)(6 * destinationStride));
        Avx.Permute2x128(abcd3, efgh3, Upper).StoreUnsafe(ref destination, (nuint)(7 * destinationStride));
    }
}
