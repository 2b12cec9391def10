using System.Buffers;
using System.Diagnostics;
using System.Text;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Masks from pixels, logits, boxes, runs and text.</content>
public sealed partial class RleMask
{
    /// <summary>Makes a mask from a bitmap.</summary>
    /// <param name="bitmap">Row-major, rows from the top, one byte a pixel; every value but 0 is foreground.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="stride">Bytes from the start of a row to the start of the next; 0 stands for width.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1, the stride is below the width, or the bitmap
    /// is too short for them.
    /// </exception>
    /// <remarks>Source: COCO API, maskApi.c (rleEncode), without the transposition that it needs first.</remarks>
    public static RleMask FromBitmap(ReadOnlySpan<byte> bitmap, int width, int height, int stride = 0)
    {
        ThrowHelper.CheckSize(width, height);
        stride = ThrowHelper.CheckPlane(bitmap.Length, height, width, stride);
        return new RleMask(RleKernels.FindRunsRowMajor(bitmap, width, height, stride), width, height);
    }

    /// <summary>Makes a mask from bytes in column-major order, the order of COCO's own arrays.</summary>
    /// <param name="columns">Column after column from the left, each from the top; every value but 0 is foreground.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Pixels in a column.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1, or it is not the length of the span.
    /// </exception>
    /// <remarks>Source: COCO API, maskApi.c (rleEncode).</remarks>
    public static RleMask FromColumnMajor(ReadOnlySpan<byte> columns, int width, int height)
    {
        int pixels = ThrowHelper.CheckSize(width, height);
        if (columns.Length != pixels)
            ThrowHelper.Format($"there are {columns.Length} bytes; {width} x {height} (width x height) need {pixels}", -1);
        return new RleMask(RleKernels.FindRuns(columns), width, height);
    }

    /// <summary>Makes a mask of the pixels whose logit is above a cut-off.</summary>
    /// <param name="logits">Row-major, rows from the top, one number a pixel. NaN is not above any cut-off.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="cutoff">A logit must be greater than this to be foreground; the default is Segment Anything's.</param>
    /// <param name="stride">Elements from the start of a row to the start of the next; 0 stands for width.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1, the stride is below the width, the logits
    /// are too few for them, or the cut-off is NaN.
    /// </exception>
    /// <remarks>Source: Segment Anything, modeling/sam.py (mask_threshold).</remarks>
    public static RleMask FromLogits(
        ReadOnlySpan<float> logits, int width, int height, float cutoff = 0f, int stride = 0)
    {
        ThrowHelper.CheckSize(width, height);
        stride = ThrowHelper.CheckPlane(logits.Length, height, width, stride);
        if (float.IsNaN(cutoff)) ThrowHelper.Format("the cut-off is NaN; nothing can be compared with it", -1);
        return new RleMask(RleKernels.FindRunsOfLogits(logits, width, height, stride, cutoff), width, height);
    }

    /// <summary>Makes a mask from run lengths, COCO's "uncompressed" form.</summary>
    /// <param name="counts">
    /// Column-major, background first. Runs of length 0 are accepted anywhere and left out of the result.
    /// </param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1, a run is negative, or the runs do not add up
    /// to width x height; the position is the index of the run.
    /// </exception>
    public static RleMask FromCounts(ReadOnlySpan<int> counts, int width, int height)
    {
        int pixels = ThrowHelper.CheckSize(width, height);
        int[] runs = counts.ToArray();
        int kept = RleKernels.Canonicalize(runs, pixels);
        return new RleMask(kept == runs.Length ? runs : runs[..kept], width, height);
    }

    /// <summary>Makes a mask from COCO's compressed text.</summary>
    /// <param name="text">The "counts" string of an annotation, as UTF-8 (it is ASCII).</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1; the text has a character that is none of
    /// COCO's, is cut off, or holds a negative or too large run (the position is the index of the character); the runs do
    /// not add up to width x height (the position is the index of the run).
    /// </exception>
    /// <remarks>
    /// Memory is at most proportional to the text, whatever it says.
    /// Source: COCO API, maskApi.c (rleFrString), which checks none of this.
    /// </remarks>
    public static RleMask FromCocoString(ReadOnlySpan<byte> text, int width, int height)
    {
        int pixels = ThrowHelper.CheckSize(width, height);
        int[] counts = GC.AllocateUninitializedArray<int>(RleKernels.CountNumbers(text));
        int runs = RleKernels.ReadText(text, counts);
        int kept = RleKernels.Canonicalize(counts.AsSpan(0, runs), pixels);
        return new RleMask(kept == counts.Length ? counts : counts[..kept], width, height);
    }

    /// <inheritdoc cref="FromCocoString(ReadOnlySpan{byte}, int, int)"/>
    /// <exception cref="ArgumentNullException">The text is null.</exception>
    public static RleMask FromCocoString(string text, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(text);
        byte[] ascii = ArrayPool<byte>.Shared.Rent(text.Length);
        try
        {
            Ascii.FromUtf16(text, ascii, out int written);
            if (written != text.Length)
            {
                ThrowHelper.Format(
                    $"the character U+{(int)text[written]:X4} is not one of COCO's, which are '0' (0x30) to 'o' (0x6F)",
                    written);
            }

            return FromCocoString(ascii.AsSpan(0, written), width, height);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(ascii);
        }
    }

    /// <summary>Reads the run lengths of COCO's compressed text into memory that is there already; makes no mask.</summary>
    /// <param name="text">The "counts" string of an annotation, as UTF-8 (it is ASCII).</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="destination">
    /// Takes the runs, canonical as those of <see cref="Counts"/>; must have room for every number of the text, of which there
    /// are at most as many as characters. Elements behind them may be changed.
    /// </param>
    /// <returns>The number of runs.</returns>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    /// <exception cref="RleFormatException">
    /// As with <see cref="FromCocoString(ReadOnlySpan{byte}, int, int)"/>; the destination may then be partly written.
    /// </exception>
    /// <remarks>Allocates no managed memory. Source: COCO API, maskApi.c (rleFrString).</remarks>
    public static int CocoStringToCounts(ReadOnlySpan<byte> text, int width, int height, Span<int> destination)
    {
        int pixels = ThrowHelper.CheckSize(width, height), numbers = RleKernels.CountNumbers(text);
        if (destination.Length < numbers)
            ThrowHelper.DestinationTooShort(destination.Length, numbers, nameof(destination));
        int runs = RleKernels.ReadText(text, destination[..numbers]);
        return RleKernels.Canonicalize(destination[..runs], pixels);
    }

    /// <summary>Makes an empty mask: background everywhere.</summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">Width or height is not positive or their product is above 2^31 - 1.</exception>
    public static RleMask Empty(int width, int height) => new([ThrowHelper.CheckSize(width, height)], width, height);

    /// <summary>Makes a mask that is foreground everywhere.</summary>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">Width or height is not positive or their product is above 2^31 - 1.</exception>
    public static RleMask Full(int width, int height) => new([0, ThrowHelper.CheckSize(width, height)], width, height);

    /// <summary>
    /// Takes over run lengths that are known to be canonical and to fill the mask; nothing is copied or checked, and the
    /// array belongs to the mask from now on.
    /// </summary>
    internal static RleMask FromOwnedCounts(int[] counts, int width, int height)
    {
#if DEBUG
        int[] copy = [.. counts];
        Debug.Assert(RleKernels.Canonicalize(copy, ThrowHelper.CheckSize(width, height)) == counts.Length);
#endif
        return new RleMask(counts, width, height);
    }
}
