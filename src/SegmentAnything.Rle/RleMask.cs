using System.Diagnostics;
using System.Text.Json.Serialization;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <summary>A binary mask in COCO's run-length form: a size and run lengths, immutable.</summary>
/// <remarks>
/// <para>
/// Pixels are counted down the columns, from the left column to the right one. The first run counts background pixels and
/// may be 0; runs alternate after it. A mask that is all background is one run of width x height.
/// </para>
/// <para>
/// The runs are canonical: none but the first is 0, whatever they were made from, so that two masks are equal exactly
/// when their pixels are. Width and height are at least 1 and their product is at most 2^31 - 1. Memory is
/// proportional to the number of runs, whatever the size. Safe to use from several threads.
/// </para>
/// <para>Source: COCO API, maskApi.c, which is the definition of every operation that it has.</para>
/// </remarks>
[JsonConverter(typeof(RleMaskJsonConverter))]
[DebuggerDisplay("{Width} x {Height}, {_counts.Length} runs, area {Area}")]
public sealed partial class RleMask : IEquatable<RleMask>
{
    private readonly int[] _counts;

    private RleMask(int[] counts, int width, int height)
    {
        _counts = counts;
        Width = width;
        Height = height;
    }

    /// <summary>Pixels in a row, at least 1.</summary>
    public int Width { get; }

    /// <summary>Rows, at least 1.</summary>
    public int Height { get; }

    /// <summary>
    /// Run lengths in pixels, column-major, background first; COCO's "uncompressed" form. They add up to
    /// <see cref="Width"/> x <see cref="Height"/>, and only the first may be 0.
    /// </summary>
    public ReadOnlySpan<int> Counts => _counts;

    /// <summary>Number of foreground pixels.</summary>
    /// <remarks>Takes time proportional to the runs; a loop that needs it often should keep it.</remarks>
    public long Area => RleKernels.Area(_counts);

    /// <summary>Whether no pixel is foreground.</summary>
    public bool IsEmpty => _counts.Length == 1;

    /// <summary>The smallest box around the foreground, in pixels; 0, 0, 0, 0 when the mask is empty.</summary>
    /// <remarks>Takes time proportional to the runs. Source: COCO API, maskApi.c (rleToBbox).</remarks>
    public MaskBox BoundingBox => RleKernels.BoundingBox(_counts, Height);

    /// <summary>Whether a pixel is foreground.</summary>
    /// <param name="x">Column, from 0.</param>
    /// <param name="y">Row, from 0 at the top.</param>
    /// <exception cref="ArgumentOutOfRangeException">The pixel lies outside the mask.</exception>
    /// <remarks>Takes time proportional to the runs; decode the mask to read many pixels.</remarks>
    public bool this[int x, int y]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(x);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(x, Width);
            ArgumentOutOfRangeException.ThrowIfNegative(y);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(y, Height);
            int remaining = (x * Height) + y;
            int run = 0;
            while (remaining >= _counts[run]) remaining -= _counts[run++];
            return (run & 1) != 0;
        }
    }

    /// <summary>Whether two masks have the same size and the same pixels.</summary>
    /// <param name="other">The other mask, or null.</param>
    public bool Equals(RleMask? other) =>
        other is not null && Width == other.Width && Height == other.Height && Counts.SequenceEqual(other.Counts);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as RleMask);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Width);
        hash.Add(Height);
        hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Counts));
        return hash.ToHashCode();
    }

    /// <summary>Size, runs and area in words, for logs.</summary>
    public override string ToString() => $"{Width} x {Height} mask, {_counts.Length} runs, area {Area}";

    /// <summary>Whether two masks have the same size and the same pixels.</summary>
    /// <param name="left">A mask, or null.</param>
    /// <param name="right">A mask, or null.</param>
    public static bool operator ==(RleMask? left, RleMask? right) => left is null ? right is null : left.Equals(right);

    /// <summary>Whether two masks differ in size or in a pixel.</summary>
    /// <param name="left">A mask, or null.</param>
    /// <param name="right">A mask, or null.</param>
    public static bool operator !=(RleMask? left, RleMask? right) => !(left == right);
}
