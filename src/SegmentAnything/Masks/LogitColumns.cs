using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Masks;

/// <summary>The low-resolution logits of a mask as columns, and which of them are clearly mask or clearly not.</summary>
/// <remarks>
/// An interpolated value lies between its corners: where all logits around it are beyond every cut-off on one side, by more than
/// rounding can do, so is it.
/// </remarks>
internal sealed class LogitColumns(ResizePlan plan)
{
    // Four blends, each with at most three roundings of half a unit in 2^-24 of the largest value, and a quarter to spare.
    private const float RoundingMargin = 1f / (1 << 20);

    private readonly int _stride = plan.LowRows + MaskKernels.ReadAhead;
    private readonly int _words = (plan.LowRows + 63) / 64;
    private readonly float[] _columns = new float[plan.LowColumns * (plan.LowRows + MaskKernels.ReadAhead)];

    // A bit a row: beyond the lower cut-off, beyond the upper one.
    private readonly ulong[] _below = new ulong[plan.LowColumns * ((plan.LowRows + 63) / 64)];
    private readonly ulong[] _above = new ulong[plan.LowColumns * ((plan.LowRows + 63) / 64)];

    /// <summary>Words that hold a bit for each row of a column.</summary>
    public int Words => _words;

    /// <summary>Takes over some neighbouring columns of logits.</summary>
    /// <param name="lowRes">All logits, row-major.</param>
    /// <param name="firstColumn">The first column that is wanted.</param>
    /// <param name="lastColumn">The last one.</param>
    /// <param name="cutoffs">Three cut-offs.</param>
    public void Read(ReadOnlySpan<float> lowRes, int firstColumn, int lastColumn, in Cutoffs cutoffs)
    {
        MaskKernels.Transpose(lowRes[firstColumn..], plan.LowResSize, plan.LowRows, lastColumn + 1 - firstColumn,
            _columns.AsSpan(firstColumn * _stride), _stride);
        float margin = Math.Abs(TensorPrimitives.MaxMagnitude(lowRes[..(plan.LowRows * plan.LowResSize)])) * RoundingMargin;
        float belowLimit = cutoffs.Lower - margin, aboveLimit = cutoffs.Upper + margin;
        for (int column = firstColumn; column <= lastColumn; column++)
        {
            MaskKernels.Classify(this[column][..plan.LowRows], belowLimit, aboveLimit,
                _below.AsSpan(column * _words, _words), _above.AsSpan(column * _words, _words));
        }
    }

    /// <summary>A column: its rows, and <see cref="MaskKernels.ReadAhead"/> values more.</summary>
    public ReadOnlySpan<float> this[int column] => _columns.AsSpan(column * _stride, _stride);

    /// <summary>Finds the rows in which neighbouring columns, both included, are all below every cut-off.</summary>
    /// <param name="first">The first column.</param>
    /// <param name="last">The last one.</param>
    /// <param name="rows">A bit a row.</param>
    public void FindBelow(int first, int last, ulong[] rows) => FindCommon(_below, first, last, rows);

    /// <summary>Finds the rows in which neighbouring columns, both included, are all above every cut-off.</summary>
    /// <param name="first">The first column.</param>
    /// <param name="last">The last one.</param>
    /// <param name="rows">A bit a row.</param>
    public void FindAbove(int first, int last, ulong[] rows) => FindCommon(_above, first, last, rows);

    private static void FindCommon(ulong[] bits, int first, int last, ulong[] common)
    {
        bits.AsSpan(first * common.Length, common.Length).CopyTo(common);
        for (int column = first + 1; column <= last; column++)
        {
            for (int word = 0; word < common.Length; word++) common[word] &= bits[(column * common.Length) + word];
        }
    }
}
