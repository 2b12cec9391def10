using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Putting matrices into the layouts that <see cref="Product"/> reads.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Packs the rows of a left factor into panels [block of 8 rows][step][8 rows]; missing rows are zero.</summary>
    /// <param name="source">rows x steps.</param>
    /// <param name="rowStride">Floats from one row to the next.</param>
    /// <param name="rows">Rows there are.</param>
    /// <param name="steps">Values in a row.</param>
    /// <param name="panels">Receives as many panels as the rows need.</param>
    public static void PackPanels(float* source, nint rowStride, int rows, int steps, float* panels)
    {
        for (int first = 0; first < rows; first += BlockRows, panels += steps * BlockRows)
        {
            for (int half = 0; half < BlockRows; half += 4)
            {
                float* row = source + ((first + half) * rowStride);
                TransposeFour(row, rowStride, Math.Clamp(rows - first - half, 0, 4), steps, panels + half, BlockRows);
            }
        }
    }

    /// <summary>The same for a left factor that lies transposed: steps x rows, row-major.</summary>
    /// <param name="source">steps x rows.</param>
    /// <param name="stepStride">Floats from one step to the next.</param>
    /// <param name="rows">Rows, a multiple of 8.</param>
    /// <param name="steps">Steps.</param>
    /// <param name="panels">Receives [block of 8 rows][step][8 rows].</param>
    public static void PackPanelsTransposed(float* source, nint stepStride, int rows, int steps, float* panels)
    {
        for (int first = 0; first < rows; first += BlockRows)
        {
            for (int k = 0; k < steps; k++, panels += BlockRows)
                new ReadOnlySpan<float>(source + (k * stepStride) + first, BlockRows).CopyTo(new Span<float>(panels, BlockRows));
        }
    }

    /// <summary>Writes the transpose of a matrix.</summary>
    /// <param name="source">rows x columns, row-major.</param>
    /// <param name="sourceStride">Floats from one row of the source to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="destination">Receives columns x rows.</param>
    /// <param name="destinationStride">Floats from one row of the destination to the next; a multiple of 4; what is beyond rows is set to 0.</param>
    public static void Transpose(float* source, nint sourceStride, int rows, int columns, float* destination, int destinationStride)
    {
        for (int r = 0; r < destinationStride; r += 4)
            TransposeFour(source + (r * sourceStride), sourceStride, Math.Clamp(rows - r, 0, 4), columns, destination + r, destinationStride);
    }

    // Four rows become four columns; rows beyond those that exist count as zero.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void TransposeFour(float* source, nint rowStride, int rows, int columns, float* destination, nint destinationStride)
    {
        float* row0 = source, row1 = row0 + rowStride, row2 = row1 + rowStride, row3 = row2 + rowStride;
        int c = 0, whole = columns & ~3;
        for (; c < whole; c += 4, destination += 4 * destinationStride)
        {
            // Rows a, b, d, e. Low pairs a0 b0 a1 b1 and d0 e0 d1 e1, then a0 b0 d0 e0 and a1 b1 d1 e1; high pairs likewise.
            Vector128<float> a = rows > 0 ? Vector128.Load(row0 + c) : default, b = rows > 1 ? Vector128.Load(row1 + c) : default;
            Vector128<float> d = rows > 2 ? Vector128.Load(row2 + c) : default, e = rows > 3 ? Vector128.Load(row3 + c) : default;
            Vector128<double> abLow = ZipLow(a, b).AsDouble(), abHigh = ZipHigh(a, b).AsDouble();
            Vector128<double> deLow = ZipLow(d, e).AsDouble(), deHigh = ZipHigh(d, e).AsDouble();
            ZipLow(abLow, deLow).AsSingle().Store(destination);
            ZipHigh(abLow, deLow).AsSingle().Store(destination + destinationStride);
            ZipLow(abHigh, deHigh).AsSingle().Store(destination + (2 * destinationStride));
            ZipHigh(abHigh, deHigh).AsSingle().Store(destination + (3 * destinationStride));
        }

        for (; c < columns; c++, destination += destinationStride)
        {
            for (int r = 0; r < 4; r++) destination[r] = r < rows ? source[(r * rowStride) + c] : 0;
        }
    }
}
