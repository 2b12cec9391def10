using System.Buffers;
using System.Text;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Pixels and text from masks.</content>
public sealed partial class RleMask
{
    /// <summary>Writes the mask as a bitmap.</summary>
    /// <param name="destination">
    /// Row-major, rows from the top, one byte a pixel: <paramref name="foreground"/> or 0. Bytes between the rows are left
    /// alone.
    /// </param>
    /// <param name="stride">Bytes from the start of a row to the start of the next; 0 stands for <see cref="Width"/>.</param>
    /// <param name="foreground">The value of a foreground pixel; 1 as pycocotools, 255 for a visible picture.</param>
    /// <exception cref="ArgumentException">The stride is below the width, or the destination is too short.</exception>
    /// <remarks>Source: COCO API, maskApi.c (rleDecode), in rows.</remarks>
    public void ToBitmap(Span<byte> destination, int stride = 0, byte foreground = 1)
    {
        if (stride == 0) stride = Width;
        if (stride < Width)
            throw new ArgumentException($"The stride is {stride} bytes; a row has {Width}.", nameof(stride));
        long needed = ((long)(Height - 1) * stride) + Width;
        if (destination.Length < needed)
            ThrowHelper.DestinationTooShort(destination.Length, needed, nameof(destination));
        RleKernels.FillRunsRowMajor(_counts, Width, Height, foreground, destination, stride);
    }

    /// <summary>The mask as a bitmap of 0 and 1, row-major, rows from the top.</summary>
    /// <returns>A new array of width x height bytes.</returns>
    public byte[] ToBitmap()
    {
        byte[] bitmap = GC.AllocateUninitializedArray<byte>(Width * Height);
        ToBitmap(bitmap);
        return bitmap;
    }

    /// <summary>Writes the mask in column-major order, the order of COCO's own arrays.</summary>
    /// <param name="destination">Column after column from the left, one byte a pixel.</param>
    /// <param name="foreground">The value of a foreground pixel; background is 0.</param>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    /// <remarks>Source: COCO API, maskApi.c (rleDecode).</remarks>
    public void ToColumnMajor(Span<byte> destination, byte foreground = 1)
    {
        int pixels = Width * Height;
        if (destination.Length < pixels)
            ThrowHelper.DestinationTooShort(destination.Length, pixels, nameof(destination));
        RleKernels.FillRuns(_counts, foreground, destination[..pixels]);
    }

    /// <summary>The runs as COCO's compressed text.</summary>
    /// <returns>The "counts" string of an annotation.</returns>
    /// <remarks>Source: COCO API, maskApi.c (rleToString).</remarks>
    public string ToCocoString()
    {
        byte[] text = ArrayPool<byte>.Shared.Rent(MaxCocoLength);
        string result = Encoding.ASCII.GetString(text, 0, RleKernels.WriteText(_counts, text));
        ArrayPool<byte>.Shared.Return(text);
        return result;
    }

    /// <summary>The runs as COCO's compressed text in UTF-8 (it is ASCII).</summary>
    /// <returns>The "counts" string of an annotation, ready for a JSON writer.</returns>
    /// <remarks>Source: COCO API, maskApi.c (rleToString).</remarks>
    public byte[] ToCocoUtf8()
    {
        byte[] text = ArrayPool<byte>.Shared.Rent(MaxCocoLength);
        byte[] result = text.AsSpan(0, RleKernels.WriteText(_counts, text)).ToArray();
        ArrayPool<byte>.Shared.Return(text);
        return result;
    }

    /// <summary>Writes the runs as COCO's compressed text in UTF-8 (it is ASCII).</summary>
    /// <param name="destination">
    /// Takes the text. Room for 7 bytes a run always suffices; with 8 more it goes fastest. Bytes behind the text may be changed.
    /// </param>
    /// <returns>The number of bytes written.</returns>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    /// <remarks>Allocates no managed memory. Source: COCO API, maskApi.c (rleToString).</remarks>
    public int ToCocoUtf8(Span<byte> destination)
    {
        if (destination.Length >= (long)_counts.Length * RleKernels.MaxGroups) return RleKernels.WriteText(_counts, destination);
        byte[] text = ArrayPool<byte>.Shared.Rent(MaxCocoLength);
        int length = RleKernels.WriteText(_counts, text);
        bool fits = text.AsSpan(0, length).TryCopyTo(destination);
        ArrayPool<byte>.Shared.Return(text);
        if (!fits) ThrowHelper.DestinationTooShort(destination.Length, length, nameof(destination));
        return length;
    }

    // What WriteText may need. Arrays end near 2^31; a mask of that many runs would have more than 300 million of them.
    private int MaxCocoLength => checked((_counts.Length * RleKernels.MaxGroups) + 8);
}
