using System.Collections.Concurrent;
using SegmentAnything.Kernels;
using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>
/// Brings a decoder's low-resolution logits to the size of the source image and measures the mask, without ever holding
/// the resized logits.
/// </summary>
/// <remarks>
/// <code>
///   low resolution         model frame            the part that is image       source size
///   256 x 256   --resize-&gt; 1024 x 1024   --crop-&gt;  w x h (max 1024)  --resize-&gt;  W x H  --cut-&gt; bits --&gt; runs
/// </code>
/// Both resizes are bilinear with pixel centres at halves, and separable: first along x between two columns, then along
/// y (<see cref="ColumnMeasurer"/>). Where all low-resolution logits under 64 pixels of a column are beyond every cut-off on one
/// side, the 64 bits are known and nothing is computed (<see cref="ColumnDivision"/>).
/// Exactness: every path gives what <see cref="UpscaleLogitsScalar"/> and a comparison give.
/// Safe to use from several threads; scratch memory is pooled, only the runs that are returned are allocated.
/// Source: Segment Anything, modeling/sam.py (postprocess_masks), utils/amg.py (calculate_stability_score,
/// mask_to_rle_pytorch). Measured by: MaskUpscalerBenchmarks.
/// </remarks>
internal sealed class MaskUpscaler : IMaskUpscaler
{
    // A score is the quotient of two areas as floats: three roundings of half a unit in 2^-24, and as much to spare.
    private const double ScoreMargin = 4e-7;

    private readonly ResizePlan _plan;
    private readonly ConcurrentBag<ColumnMeasurer> _measurers = [];
    private readonly ConcurrentBag<RowResizer> _resizers = [];
    private readonly ConcurrentBag<SplitMeasurement> _splits = [];

    /// <summary>Prepares the resizing for one image size.</summary>
    /// <param name="inputSize">The size of the image in the model's frame, before padding.</param>
    /// <param name="outputSize">The size of the source image.</param>
    /// <param name="lowResSize">The side of the low-resolution logits.</param>
    /// <param name="modelSize">The side of the model's padded frame.</param>
    public MaskUpscaler(ImageSize inputSize, ImageSize outputSize, int lowResSize = 256, int modelSize = 1024) =>
        _plan = new ResizePlan(inputSize, outputSize, lowResSize, modelSize);

    /// <summary>The size of the image in the model's frame, before padding.</summary>
    public ImageSize InputSize => _plan.InputSize;

    /// <summary>Rows of low-resolution logits that are read: the image's, without its padding.</summary>
    public int LowResRows => _plan.LowRows;

    /// <summary>The size of the masks.</summary>
    public ImageSize OutputSize => _plan.OutputSize;

    /// <summary>Resizes logits, cuts them, and gives the mask and what its stability is computed from.</summary>
    /// <param name="lowResLogits">lowResSize x lowResSize values, row-major.</param>
    /// <param name="cutoff">Resized logits above this are mask.</param>
    /// <param name="stabilityOffset">How far below and above the cut-off pixels are counted too; not negative.</param>
    public MaskMeasurement Measure(ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset)
    {
        TryMeasure(lowResLogits, cutoff, stabilityOffset, float.NegativeInfinity, keepUnstable: true, out MaskMeasurement measurement);
        return measurement;
    }

    /// <summary>As <see cref="Measure(ReadOnlySpan{float}, float, float)"/>, but makes no mask where the stability score is less than a threshold, or NaN.</summary>
    /// <param name="lowResLogits">lowResSize x lowResSize values, row-major.</param>
    /// <param name="cutoff">Resized logits above this are mask.</param>
    /// <param name="stabilityOffset">How far below and above the cut-off pixels are counted too; not negative.</param>
    /// <param name="stabilityThreshold">The least score that is accepted.</param>
    /// <param name="measurement">The mask, where it is stable.</param>
    /// <returns>Whether it is.</returns>
    public bool TryMeasure(
        ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset, float stabilityThreshold, out MaskMeasurement measurement) =>
        TryMeasure(lowResLogits, cutoff, stabilityOffset, stabilityThreshold, keepUnstable: false, out measurement);

    /// <summary>As <see cref="Measure(ReadOnlySpan{float}, float, float)"/> for several masks, by several threads.</summary>
    /// <param name="lowResLogits">Masks x lowResSize x lowResSize values, row-major.</param>
    /// <param name="cutoff">Resized logits above this are mask.</param>
    /// <param name="stabilityOffset">How far below and above the cut-off pixels are counted too; not negative.</param>
    /// <param name="splitter">The threads.</param>
    /// <param name="measurements">One a mask is written.</param>
    /// <param name="cancellationToken">Looked at between masks.</param>
    /// <remarks>
    /// Each thread takes whole masks. Where there are too few for all threads to have enough to do, a mask is divided into
    /// parts of neighbouring columns, whose runs are joined by whoever measures its last part.
    /// </remarks>
    public unsafe void Measure(
        ReadOnlySpan<float> lowResLogits,
        float cutoff,
        float stabilityOffset,
        WorkSplitter splitter,
        Span<MaskMeasurement> measurements,
        CancellationToken cancellationToken)
    {
        int size = _plan.LowResSize;
        if (lowResLogits.Length != measurements.Length * (long)size * size)
        {
            throw new ArgumentException(
                $"Expected {measurements.Length} x {size} x {size} logits, found {lowResLogits.Length}.", nameof(lowResLogits));
        }

        CheckOffset(stabilityOffset);
        SplitMeasurement split = _splits.TryTake(out SplitMeasurement? idle) ? idle : new SplitMeasurement(_plan, _measurers);
        fixed (float* logits = lowResLogits)
            split.Run(logits, Cutoffs.Around(cutoff, stabilityOffset), splitter, measurements, cancellationToken);
        _splits.Add(split);
    }

    /// <summary>Resizes logits to the size of the source image.</summary>
    /// <param name="lowRes">lowResSize x lowResSize values, row-major.</param>
    /// <param name="destination">Height x width values, row-major.</param>
    public void UpscaleLogits(ReadOnlySpan<float> lowRes, Span<float> destination)
    {
        CheckLogits(lowRes);
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, OutputSize.Width * OutputSize.Height, nameof(destination));
        RowResizer resizer = _resizers.TryTake(out RowResizer? idle) ? idle : new RowResizer(_plan);
        resizer.Resize(lowRes, destination);
        _resizers.Add(resizer);
    }

    /// <summary>The definition of <see cref="UpscaleLogits"/>: both resizes one after the other, one value at a time.</summary>
    internal void UpscaleLogitsScalar(ReadOnlySpan<float> lowRes, Span<float> destination)
    {
        float[] model = new float[InputSize.Width * InputSize.Height];
        ResizeScalar(lowRes, _plan.LowResSize, _plan.ModelX, _plan.ModelY, model);
        ResizeScalar(model, InputSize.Width, _plan.SourceX, _plan.SourceY, destination);
    }

    private static void ResizeScalar(
        ReadOnlySpan<float> source, int stride, InterpolationAxis axisX, InterpolationAxis axisY, Span<float> destination)
    {
        for (int y = 0; y < axisY.Length; y++)
        {
            ReadOnlySpan<float> upper = source[(axisY.First[y] * stride)..];
            ReadOnlySpan<float> lower = source[(axisY.Second[y] * stride)..];
            for (int x = 0; x < axisX.Length; x++)
            {
                float above = MathF.FusedMultiplyAdd(
                    upper[axisX.First[x]], axisX.FirstWeight[x], upper[axisX.Second[x]] * axisX.SecondWeight[x]);
                float below = MathF.FusedMultiplyAdd(
                    lower[axisX.First[x]], axisX.FirstWeight[x], lower[axisX.Second[x]] * axisX.SecondWeight[x]);
                destination[(y * axisX.Length) + x] =
                    MathF.FusedMultiplyAdd(above, axisY.FirstWeight[y], below * axisY.SecondWeight[y]);
            }
        }
    }

    private void CheckLogits(ReadOnlySpan<float> lowRes)
    {
        if (lowRes.Length != _plan.LowResSize * _plan.LowResSize)
            throw new ArgumentException($"Expected {_plan.LowResSize} x {_plan.LowResSize} logits, found {lowRes.Length}.", nameof(lowRes));
    }

    private static void CheckOffset(float offset)
    {
        if (!(offset >= 0)) throw new ArgumentOutOfRangeException(nameof(offset), offset, "The stability offset must be 0 or more.");
    }

    private bool TryMeasure(
        ReadOnlySpan<float> lowResLogits, float cutoff, float offset, float threshold, bool keepUnstable, out MaskMeasurement measurement)
    {
        CheckLogits(lowResLogits);
        CheckOffset(offset);
        ColumnMeasurer measurer = _measurers.TryTake(out ColumnMeasurer? idle) ? idle : new ColumnMeasurer(_plan);
        double giveUpBelow = keepUnstable ? double.NegativeInfinity : threshold - ScoreMargin;
        bool accepted = measurer.TryMeasure(lowResLogits, Cutoffs.Around(cutoff, offset), 0, OutputSize.Width, giveUpBelow)
            && (keepUnstable || (float)measurer.UpperArea / measurer.LowerArea >= threshold);
        measurement = accepted
            ? new MaskMeasurement(measurer.Runs.ToMask(), measurer.LowerArea, measurer.Area, measurer.UpperArea)
            : default;
        _measurers.Add(measurer);
        return accepted;
    }
}
