namespace SegmentAnything.Rle.Kernels;

/// <content>Turns run lengths into bytes.</content>
internal static partial class RleKernels
{
    /// <summary>Writes the runs as bytes in column-major order, every byte once.</summary>
    public static void FillRuns(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor) =>
        FillRunsScalar(counts, foreground, columnMajor);

    // The definition.
    internal static void FillRunsScalar(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor)
    {
        int position = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            byte value = (i & 1) == 0 ? (byte)0 : foreground;
            for (int j = 0; j < counts[i]; j++) columnMajor[position++] = value;
        }
    }

    /// <summary>Writes the runs as a row-major bitmap; bytes between the rows are left alone.</summary>
    public static void FillRunsRowMajor(
        ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride) =>
        FillRunsRowMajorScalar(counts, width, height, foreground, bitmap, stride);

    // The definition.
    internal static void FillRunsRowMajorScalar(
        ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride)
    {
        int x = 0, y = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            byte value = (i & 1) == 0 ? (byte)0 : foreground;
            for (int j = 0; j < counts[i]; j++)
            {
                bitmap[(y * stride) + x] = value;
                if (++y < height) continue;
                y = 0;
                x++;
            }
        }
    }
}
