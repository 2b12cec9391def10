using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Checkpoints;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>The prompt encoder's part for a rough mask: from its pixels to values at every position of the image.</summary>
/// <remarks>Immutable, so any number of threads can use one. It is so small that it runs here whatever the execution provider is.</remarks>
internal abstract class MaskPromptNetwork
{
    /// <summary>Pixels along each side of a mask that become one position.</summary>
    protected const int Block = DecoderLayout.Upscaling;

    /// <summary>Encodes one mask.</summary>
    /// <param name="logits">(4G)² values, row-major, in the model's padded frame.</param>
    /// <param name="dense">C x G x G values are written.</param>
    /// <param name="cancellationToken">Looked at between layers.</param>
    public abstract void Encode(ReadOnlySpan<float> logits, Span<float> dense, CancellationToken cancellationToken);

    /// <summary>The 4 x 4 pixels of each position as 16 planes of G x G: plane 4·dy + dx has the pixel at (dx, dy).</summary>
    protected static void SpaceToDepth(ReadOnlySpan<float> logits, int grid, Span<float> planes)
    {
        int side = Block * grid;
        for (int y = 0; y < side; y++)
        {
            ReadOnlySpan<float> row = logits.Slice(y * side, side);
            for (int dx = 0; dx < Block; dx++)
            {
                Span<float> to = planes.Slice((((((y % Block) * Block) + dx) * grid) + (y / Block)) * grid, grid);
                for (int x = 0; x < grid; x++) to[x] = row[(x * Block) + dx];
            }
        }
    }
}

/// <summary>SAM's: two convolutions of 2 x 2 pixels with norm and GELU behind each, and one of 1 x 1.</summary>
/// <remarks>
/// Planes of positions are what everything is done with, so every step is a loop over G x G neighbouring values. Source: Segment
/// Anything, modeling/prompt_encoder.py (mask_downscaling).
/// </remarks>
internal sealed class MaskDownscaling : MaskPromptNetwork
{
    // A vector of the widest kind: GELU takes whole vectors.
    private const int Room = 16;

    private readonly int _grid, _positions;
    private readonly Layer _first, _second, _last;

    /// <summary>Reads the weights.</summary>
    /// <param name="weights">Under SAM 1's official names.</param>
    /// <param name="grid">G.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public MaskDownscaling(StateDict weights, int grid)
    {
        const string prefix = "prompt_encoder.mask_downscaling.";
        (_grid, _positions) = (grid, grid * grid);
        int quarter = weights.ShapeOf(prefix + "0.bias")[0], full = weights.ShapeOf(prefix + "3.bias")[0], channels = weights.ShapeOf(prefix + "6.bias")[0];
        _first = Read("0", "1", quarter, 1, 2);
        _second = Read("3", "4", full, quarter, 2);
        _last = Read("6", null, channels, full, 1);

        Layer Read(string convolution, string? norm, int outputs, int inputs, int kernel) => new(
            weights.Read($"{prefix}{convolution}.weight", outputs, inputs, kernel, kernel), weights.Read($"{prefix}{convolution}.bias", outputs),
            norm is null ? [] : weights.Read($"{prefix}{norm}.weight", outputs), norm is null ? [] : weights.Read($"{prefix}{norm}.bias", outputs));
    }

    public override void Encode(ReadOnlySpan<float> logits, Span<float> dense, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int pixels = Block * Block * _positions, quarters = 4 * _first.Outputs * _positions, full = _second.Outputs * _positions;
        using SpanOwner<float> memory = SpanOwner<float>.Allocate(pixels + quarters + full + (2 * Room));
        Span<float> planes = memory.Span[..pixels], half = memory.Span.Slice(pixels, quarters + Room), whole = memory.Span.Slice(pixels + quarters + Room, full + Room);
        SpaceToDepth(logits, _grid, planes);

        // The first step's grid is twice as fine: four planes a channel, one for each of the 2 x 2 places that the second step sees.
        for (int place = 0; place < 4; place++)
        {
            int corner = (place / 2 * 2 * Block) + (place % 2 * 2);
            Convolve(_first, planes, [corner, corner + 1, corner + Block, corner + Block + 1], half[(place * _positions)..], stride: 4);
            Normalise(_first, half[(place * _positions)..], stride: 4);
        }

        Gelu(half[..quarters]);
        cancellationToken.ThrowIfCancellationRequested();
        Convolve(_second, half, Range(4 * _first.Outputs), whole, stride: 1);
        Normalise(_second, whole, stride: 1);
        Gelu(whole[..full]);
        cancellationToken.ThrowIfCancellationRequested();
        Convolve(_last, whole, Range(_second.Outputs), dense, stride: 1);
    }

    private static int[] Range(int count) => [.. Enumerable.Range(0, count)];

    // Sums of planes: an output's are the bias and the inputs' times their weights.
    private void Convolve(Layer layer, ReadOnlySpan<float> source, ReadOnlySpan<int> inputs, Span<float> result, int stride)
    {
        for (int o = 0; o < layer.Outputs; o++)
        {
            Span<float> plane = result.Slice(o * stride * _positions, _positions);
            plane.Fill(layer.Bias[o]);
            for (int i = 0; i < inputs.Length; i++)
                TensorPrimitives.MultiplyAdd(source.Slice(inputs[i] * _positions, _positions), layer.Weight[(o * inputs.Length) + i], plane, plane);
        }
    }

    // LayerNorm over the channels of each position, in place.
    private void Normalise(Layer layer, Span<float> planes, int stride)
    {
        using SpanOwner<float> memory = SpanOwner<float>.Allocate(2 * _positions);
        Span<float> mean = memory.Span[.._positions], factor = memory.Span[_positions..];
        mean.Clear();
        factor.Clear();
        for (int o = 0; o < layer.Outputs; o++) TensorPrimitives.Add(mean, Plane(planes, o), mean);
        TensorPrimitives.Divide(mean, layer.Outputs, mean);
        for (int o = 0; o < layer.Outputs; o++)
        {
            Span<float> plane = Plane(planes, o);
            TensorPrimitives.Subtract(plane, mean, plane);
            TensorPrimitives.MultiplyAdd(plane, plane, factor, factor);
        }

        TensorPrimitives.Divide(factor, layer.Outputs, factor);
        TensorPrimitives.Add(factor, DecoderLayout.ChannelNormEpsilon, factor);
        TensorPrimitives.ReciprocalSqrt(factor, factor);
        for (int o = 0; o < layer.Outputs; o++)
        {
            Span<float> plane = Plane(planes, o);
            TensorPrimitives.Multiply(plane, factor, plane);
            TensorPrimitives.Multiply(plane, layer.Scale[o], plane);
            TensorPrimitives.Add(plane, layer.Shift[o], plane);
        }

        Span<float> Plane(Span<float> all, int output) => all.Slice(output * stride * _positions, _positions);
    }

    // What is behind the values, up to the next whole vector, is written too.
    private static unsafe void Gelu(Span<float> values)
    {
        fixed (float* pointer = values, table = DecoderKernels.GeluTable) SimdDispatch.Run<GeluKernel, int>(new GeluKernel(pointer, values.Length, table));
    }

    private readonly unsafe struct GeluKernel(float* values, int count, float* table) : ISimdKernel<int>
    {
        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            for (int i = 0; i < count; i += TSimd.Width) TSimd.Store(DecoderKernels.Gelu<TSimd, TVector>(TSimd.Load(values + i), table), values + i);
            return count;
        }

        public int RunScalar() => Run<Simd128, Vector128<float>>();
    }

    /// <summary>A convolution, outputs x inputs x its places, and the norm behind it.</summary>
    private sealed record Layer(float[] Weight, float[] Bias, float[] Scale, float[] Shift)
    {
        public int Outputs => Bias.Length;
    }
}

/// <summary>
/// For a decoder that encodes the mask itself, <see cref="ExportedMaskDecoder"/>: the mask's 4 x 4 pixels of each position become
/// its first 16 channels, the others are zero.
/// </summary>
internal sealed class MaskAsItIs : MaskPromptNetwork
{
    private readonly int _grid;

    /// <param name="channels">C.</param>
    /// <param name="grid">G.</param>
    /// <exception cref="CheckpointException">There are fewer channels than pixels.</exception>
    public MaskAsItIs(int channels, int grid)
    {
        const int pixels = Block * Block;
        if (channels < pixels) throw new CheckpointException($"An embedding of {channels} channels has no room for a mask prompt; {pixels} are expected.");
        _grid = grid;
    }

    public override void Encode(ReadOnlySpan<float> logits, Span<float> dense, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int pixels = Block * Block * _grid * _grid;
        SpaceToDepth(logits, _grid, dense[..pixels]);
        dense[pixels..].Clear();
    }
}
