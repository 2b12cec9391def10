using System.Diagnostics.CodeAnalysis;

namespace SegmentAnything.Rle;

/// <summary>Checks and exceptions, out of line so that hot methods stay small.</summary>
internal static class ThrowHelper
{
    /// <summary>Returns width x height; both must be positive and the product at most 2^31 - 1.</summary>
    public static int CheckSize(int width, int height)
    {
        if (width <= 0 || height <= 0)
            Format($"the size is {width} x {height} (width x height); both must be at least 1", -1);
        long pixels = (long)width * height;
        if (pixels > int.MaxValue)
            Format($"the size {width} x {height} has {pixels} pixels; at most {int.MaxValue} can be counted", -1);
        return (int)pixels;
    }

    /// <summary>Throws unless the two masks have one size.</summary>
    public static void CheckSameSize(RleMask left, RleMask right, long position = -1)
    {
        if (left.Width != right.Width || left.Height != right.Height)
        {
            Format(
                $"the sizes differ: {left.Width} x {left.Height} and {right.Width} x {right.Height} (width x height); "
                + "crop or pad one of them first", position);
        }
    }

    /// <summary>Throws unless a plane of rows or columns lies inside a span of <paramref name="length"/> elements.</summary>
    /// <param name="length">Elements there are.</param>
    /// <param name="lines">Rows (or columns) of the plane.</param>
    /// <param name="lineLength">Elements of one line that count.</param>
    /// <param name="stride">Elements from one line's start to the next; 0 stands for lineLength.</param>
    /// <returns>The stride to use.</returns>
    public static int CheckPlane(int length, int lines, int lineLength, int stride)
    {
        if (stride == 0) stride = lineLength;
        if (stride < lineLength)
            Format($"the stride is {stride} elements; a line has {lineLength}", -1);
        long needed = ((long)(lines - 1) * stride) + lineLength;
        if (length < needed)
            Format($"there are {length} elements; {lines} lines of {lineLength} with stride {stride} need {needed}", -1);
        return stride;
    }

    [DoesNotReturn]
    public static void Format(string reason, long position) => throw new RleFormatException(reason, position);

    [DoesNotReturn]
    public static void DestinationTooShort(long length, long needed, string parameter) =>
        throw new ArgumentException($"The destination has {length} elements; {needed} are needed.", parameter);
}
