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
            int count = Math.Min(BlockRows, rows - first);
            for (int r = 0; r < count; r++)
            {
                float* row = source + ((first + r) * rowStride);
                for (int k = 0; k < steps; k++) panels[(k * BlockRows) + r] = row[k];
            }

            for (int r = count; r < BlockRows; r++)
            {
                for (int k = 0; k < steps; k++) panels[(k * BlockRows) + r] = 0;
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
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="destination">Receives columns x rows.</param>
    /// <param name="destinationStride">Floats from one row of the destination to the next; what is beyond rows is set to 0.</param>
    public static void Transpose(float* source, int rows, int columns, float* destination, int destinationStride)
    {
        // Sixteen columns at a time: their lines of the destination stay in the first-level cache over all rows.
        for (int first = 0; first < columns; first += 16)
        {
            int end = Math.Min(first + 16, columns);
            for (int r = 0; r < rows; r++)
            {
                for (int c = first; c < end; c++) destination[(c * (nint)destinationStride) + r] = source[(r * (nint)columns) + c];
            }

            for (int c = first; c < end; c++)
                new Span<float>(destination + (c * (nint)destinationStride) + rows, destinationStride - rows).Clear();
        }
    }
}
