using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>The kernels of image encoders at one vector width, so that nobody who puts a network together need name it.</summary>
/// <remarks>A call does the work of a tile of rows, beside which its being virtual costs nothing.</remarks>
internal abstract unsafe class TileOperations
{
    /// <summary>The width that is fastest on this processor.</summary>
    public static int WidthHere => Math.Max(4, SimdDispatch.Width);

    /// <summary>Floats in a vector.</summary>
    public abstract int Width { get; }

    /// <summary>The operations for vectors of 4, 8 or 16 floats, whether the processor has them or not.</summary>
    public static TileOperations Of(int width) => width switch
    {
        16 => new TileOperations<Simd512, Vector512<float>>(),
        8 => new TileOperations<Simd256, Vector256<float>>(),
        4 => new TileOperations<Simd128, Vector128<float>>(),
        _ => throw new ArgumentOutOfRangeException(nameof(width), width, "Vectors have 4, 8 or 16 floats."),
    };

    /// <inheritdoc cref="EncoderKernels.Product"/>
    public abstract void Product(in RowProduct product);

    /// <inheritdoc cref="EncoderKernels.LayerNorm"/>
    public abstract void LayerNorm(float** rows, int count, int channels, float* weight, float* bias, float epsilon, float* result, nint stride);

    /// <inheritdoc cref="EncoderKernels.Depthwise"/>
    public abstract void Depthwise(in DepthwiseRow row);

    /// <inheritdoc cref="EncoderKernels.SoftmaxPowers"/>
    public abstract void SoftmaxPowers(float* scores, nint stride, int rows, int columns, float* factors);

    /// <inheritdoc cref="EncoderKernels.ScaleRows"/>
    public abstract void ScaleRows(float** rows, nint offset, int count, int columns, float* factors);

    /// <inheritdoc cref="EncoderKernels.RunningSoftmax"/>
    public abstract bool RunningSoftmax(float* scores, nint stride, int rows, int columns, bool first, float* reference, float* sum, float* rescale);

    /// <inheritdoc cref="EncoderKernels.RelativeScores"/>
    public abstract void RelativeScores(in RelativeScoreTile tile);

    /// <inheritdoc cref="EncoderKernels.LargestOfFour"/>
    public abstract void LargestOfFour(float** rows, nint offset, int count, int columns);

    /// <inheritdoc cref="EncoderKernels.PackRows"/>
    public abstract void PackRows(float* source, nint stride, int columns, int steps, float* panels);

    /// <inheritdoc cref="EncoderKernels.PackTransposed"/>
    public void PackTransposed(float* source, nint stride, int columns, int steps, float* panels) =>
        EncoderKernels.PackTransposed(source, stride, columns, steps, panels, Width);
}

/// <summary>The kernels at the width of <typeparamref name="TVector"/>.</summary>
internal sealed unsafe class TileOperations<TSimd, TVector> : TileOperations
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    public override int Width => TSimd.Width;

    public override void Product(in RowProduct product) => EncoderKernels.Product<TSimd, TVector>(product);

    public override void LayerNorm(float** rows, int count, int channels, float* weight, float* bias, float epsilon, float* result, nint stride) =>
        EncoderKernels.LayerNorm<TSimd, TVector>(rows, count, channels, weight, bias, epsilon, result, stride);

    public override void Depthwise(in DepthwiseRow row) => EncoderKernels.Depthwise<TSimd, TVector>(row);

    public override void SoftmaxPowers(float* scores, nint stride, int rows, int columns, float* factors) =>
        EncoderKernels.SoftmaxPowers<TSimd, TVector>(scores, stride, rows, columns, factors);

    public override void ScaleRows(float** rows, nint offset, int count, int columns, float* factors) =>
        EncoderKernels.ScaleRows<TSimd, TVector>(rows, offset, count, columns, factors);

    public override bool RunningSoftmax(float* scores, nint stride, int rows, int columns, bool first, float* reference, float* sum, float* rescale) =>
        EncoderKernels.RunningSoftmax<TSimd, TVector>(scores, stride, rows, columns, first, reference, sum, rescale);

    public override void RelativeScores(in RelativeScoreTile tile) => EncoderKernels.RelativeScores<TSimd, TVector>(tile);

    public override void LargestOfFour(float** rows, nint offset, int count, int columns) =>
        EncoderKernels.LargestOfFour<TSimd, TVector>(rows, offset, count, columns);

    public override void PackRows(float* source, nint stride, int columns, int steps, float* panels) =>
        EncoderKernels.PackRows<TSimd, TVector>(source, stride, columns, steps, panels);
}
