namespace SegmentAnything.Rle.Kernels;

/// <content>Turns bytes into run lengths.</content>
internal static partial class RleKernels
{
    /// <summary>Run lengths of bytes in column-major order.</summary>
    /// <remarks>
    /// Runs alternate between zero and non-zero bytes; the first counts zeros and may be 0. Exactness: every path equals
    /// <see cref="FindRunsScalar"/>. Source: COCO API, maskApi.c (rleEncode).
    /// </remarks>
    public static int[] FindRuns(ReadOnlySpan<byte> columnMajor) => FindRunsScalar(columnMajor);

    // The definition: a run ends where zero-ness changes.
    internal static int[] FindRunsScalar(ReadOnlySpan<byte> columnMajor)
    {
        var counts = new RunBuilder();
        bool foreground = false;
        int start = 0;
        for (int i = 0; i < columnMajor.Length; i++)
        {
            if (columnMajor[i] != 0 == foreground) continue;
            counts.Add(i - start);
            start = i;
            foreground = !foreground;
        }

        counts.Add(columnMajor.Length - start);
        return counts.ToArrayAndFree();
    }

    /// <summary>Run lengths of a row-major bitmap.</summary>
    /// <param name="bitmap">Rows from the top, <paramref name="stride"/> elements apart; non-zero is foreground.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="stride">Elements from one row to the next, at least width.</param>
    public static int[] FindRunsRowMajor(ReadOnlySpan<byte> bitmap, int width, int height, int stride) =>
        FindRunsRowMajorScalar(bitmap, width, height, stride);

    // The definition: as FindRunsScalar, reading down the columns.
    internal static int[] FindRunsRowMajorScalar(ReadOnlySpan<byte> bitmap, int width, int height, int stride)
    {
        var counts = new RunBuilder();
        bool foreground = false;
        int start = 0, position = 0;
        for (int x = 0; x < width; x++)
        {
            for (int y = 0; y < height; y++, position++)
            {
                if (bitmap[(y * stride) + x] != 0 == foreground) continue;
                counts.Add(position - start);
                start = position;
                foreground = !foreground;
            }
        }

        counts.Add(position - start);
        return counts.ToArrayAndFree();
    }

    /// <summary>Run lengths of the pixels whose logit is above a cut-off; NaN is not above anything.</summary>
    public static int[] FindRunsOfLogits(ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff) =>
        FindRunsOfLogitsScalar(logits, width, height, stride, cutoff);

    // The definition.
    internal static int[] FindRunsOfLogitsScalar(
        ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff)
    {
        var counts = new RunBuilder();
        bool foreground = false;
        int start = 0, position = 0;
        for (int x = 0; x < width; x++)
        {
            for (int y = 0; y < height; y++, position++)
            {
                if (logits[(y * stride) + x] > cutoff == foreground) continue;
                counts.Add(position - start);
                start = position;
                foreground = !foreground;
            }
        }

        counts.Add(position - start);
        return counts.ToArrayAndFree();
    }
}
