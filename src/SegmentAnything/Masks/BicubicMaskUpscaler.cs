using System.Buffers;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using SegmentAnything.Kernels;
using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>
/// From low-resolution logits to masks of an image's size at once, with the bicubic filter, where the whole square is the image.
/// </summary>
/// <remarks>
/// Logits of a mask are resized to all pixels before they are cut: unlike the bilinear filter, this one leaves the range of its
/// neighbours, so that nothing is known of a pixel from their signs.
/// </remarks>
internal sealed class BicubicMaskUpscaler : IMaskUpscaler
{
    private readonly int _lowResSize;
    private readonly BicubicAxis _horizontal;
    private readonly BicubicAxis _vertical;

    /// <param name="lowResSize">The side of the logits' square.</param>
    /// <param name="outputSize">The size of the masks.</param>
    public BicubicMaskUpscaler(int lowResSize, ImageSize outputSize)
    {
        _lowResSize = lowResSize;
        InputSize = new ImageSize(lowResSize, lowResSize);
        OutputSize = outputSize;
        _horizontal = new BicubicAxis(lowResSize, outputSize.Width);
        _vertical = new BicubicAxis(lowResSize, outputSize.Height);
    }

    public ImageSize InputSize { get; }

    public int LowResRows => _lowResSize;

    public ImageSize OutputSize { get; }

    public MaskMeasurement Measure(ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset)
    {
        TryMeasure(lowResLogits, cutoff, stabilityOffset, keepUnstable: true, 0, out MaskMeasurement measurement);
        return measurement;
    }

    public bool TryMeasure(ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset, float stabilityThreshold, out MaskMeasurement measurement) =>
        TryMeasure(lowResLogits, cutoff, stabilityOffset, keepUnstable: false, stabilityThreshold, out measurement);

    public unsafe void Measure(
        ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset, WorkSplitter splitter, Span<MaskMeasurement> measurements,
        CancellationToken cancellationToken)
    {
        int values = _lowResSize * _lowResSize;
        if (lowResLogits.Length != measurements.Length * (long)values)
        {
            throw new ArgumentException(
                $"Expected {measurements.Length} x {_lowResSize} x {_lowResSize} logits, found {lowResLogits.Length}.", nameof(lowResLogits));
        }

        MaskMeasurement[] measured = new MaskMeasurement[measurements.Length];
        fixed (float* logits = lowResLogits)
        {
            splitter.Run(new EachMask(this, logits, values, cutoff, stabilityOffset, measured, cancellationToken), measured.Length);
        }

        measured.CopyTo(measurements);
    }

    public void UpscaleLogits(ReadOnlySpan<float> lowRes, Span<float> destination)
    {
        (int width, int height) = (OutputSize.Width, OutputSize.Height);
        ArgumentOutOfRangeException.ThrowIfNotEqual(lowRes.Length, _lowResSize * _lowResSize, nameof(lowRes));
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, (long)width * height, nameof(destination));
        float[] wide = ArrayPool<float>.Shared.Rent(_lowResSize * width);
        for (int row = 0; row < _lowResSize; row++)
        {
            ReadOnlySpan<float> source = lowRes.Slice(row * _lowResSize, _lowResSize);
            Span<float> result = wide.AsSpan(row * width, width);
            for (int x = 0; x < result.Length; x++)
            {
                float sum = 0;
                for (int k = BicubicAxis.Taps * x; k < BicubicAxis.Taps * (x + 1); k++) sum += _horizontal.Weights[k] * source[_horizontal.Positions[k]];
                result[x] = sum;
            }
        }

        for (int y = 0; y < height; y++)
        {
            Span<float> result = destination.Slice(y * width, width);
            result.Clear();
            for (int k = BicubicAxis.Taps * y; k < BicubicAxis.Taps * (y + 1); k++)
                TensorPrimitives.MultiplyAdd(wide.AsSpan(_vertical.Positions[k] * width, width), _vertical.Weights[k], result, result);
        }

        ArrayPool<float>.Shared.Return(wide);
    }

    private bool TryMeasure(
        ReadOnlySpan<float> lowRes, float cutoff, float stabilityOffset, bool keepUnstable, float stabilityThreshold, out MaskMeasurement measurement)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(stabilityOffset);
        int pixels = checked(OutputSize.Width * OutputSize.Height);
        float[] rented = ArrayPool<float>.Shared.Rent(pixels);
        Span<float> logits = rented.AsSpan(0, pixels);
        UpscaleLogits(lowRes, logits);
        long lower = CountAbove(logits, cutoff - stabilityOffset), upper = CountAbove(logits, cutoff + stabilityOffset);
        bool isStable = keepUnstable || (float)upper / lower >= stabilityThreshold;
        measurement = default;
        if (isStable)
        {
            RleMask mask = RleMask.FromLogits(logits, OutputSize.Width, OutputSize.Height, cutoff);
            measurement = new MaskMeasurement(mask, lower, mask.Area, upper);
        }

        ArrayPool<float>.Shared.Return(rented);
        return isStable;
    }

    private static long CountAbove(ReadOnlySpan<float> values, float cutoff)
    {
        long count = 0;
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        // A lane counts to 2^24 and more in 32 bits: more than pixels of an image.
        Vector<int> counts = Vector<int>.Zero;
        Vector<float> cutoffs = new(cutoff);
        foreach (Vector<float> vector in vectors) counts -= Vector.GreaterThan(vector, cutoffs);
        for (int lane = 0; lane < Vector<int>.Count; lane++) count += counts[lane];
        foreach (float value in values[(vectors.Length * Vector<float>.Count)..]) count += value > cutoff ? 1 : 0;
        return count;
    }

    private sealed unsafe class EachMask(
        BicubicMaskUpscaler owner, float* logits, int values, float cutoff, float offset, MaskMeasurement[] measured, CancellationToken cancellationToken) : ISplitWork
    {
        public void Execute(int item, int worker)
        {
            cancellationToken.ThrowIfCancellationRequested();
            measured[item] = owner.Measure(new ReadOnlySpan<float>(logits + ((nint)item * values), values), cutoff, offset);
        }
    }
}
