using System.Collections.Immutable;
using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>A linear map of rows, packed: of a linear layer, or of a convolution with the places it sees as segments.</summary>
/// <param name="Matrix">In panels, see <see cref="EncoderKernels.PackTransposed"/>.</param>
/// <param name="Bias">[column]; null if there is none.</param>
/// <param name="Segments">Places that a row is put together from.</param>
/// <param name="Inputs">Values of each.</param>
/// <param name="Outputs">Values that come out.</param>
internal readonly unsafe record struct LinearWeights(nint Matrix, nint Bias, int Segments, int Inputs, int Outputs)
{
    /// <summary>Columns of the matrix, which are room for the outputs.</summary>
    public int Columns => EncoderKernels.Padded(Outputs);

    /// <summary>The product with rows; what else it has is the caller's to set.</summary>
    public RowProduct Of(float** rows, int count) => new()
    {
        Rows = rows,
        Count = count,
        Segments = Segments,
        Length = Inputs,
        Matrix = (float*)Matrix,
        Columns = Columns,
        Bias = (float*)Bias,
    };
}

/// <summary>A depthwise 3 x 3 convolution: [row of the kernel][column][channel], and a value a channel.</summary>
internal readonly record struct DepthwiseWeights(nint Weights, nint Bias, int Channels);

/// <summary>A LayerNorm: scale and shift of each channel, or none where the product behind it has them; and epsilon.</summary>
internal readonly record struct NormWeights(nint Weight, nint Bias, float Epsilon)
{
    /// <summary>Without scale and shift.</summary>
    public static NormWeights Plain(float epsilon) => new(0, 0, epsilon);
}

/// <summary>Owns a network's weights in the layouts that kernels read. Immutable once built, so shared by all threads.</summary>
internal sealed unsafe class NetworkWeights : IDisposable
{
    // Hidden channels of a part of an MLP.
    private const int HiddenOfPart = 1024;

    private readonly List<NativeFloats> _blocks = [];

    public NetworkWeights(TileOperations operations)
    {
        Operations = operations;
        Gelu = (float*)Copy(DecoderKernels.GeluTable);
    }

    /// <summary>The kernels that the weights are packed for.</summary>
    public TileOperations Operations { get; }

    /// <summary><see cref="DecoderKernels.GeluTable"/>, aligned.</summary>
    public float* Gelu { get; }

    /// <summary>Bytes in all.</summary>
    public long Bytes => sizeof(float) * _blocks.Sum(b => b.Length);

    /// <summary>A linear layer as PyTorch keeps it: weight outputs x inputs.</summary>
    public LinearWeights Linear(ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, int outputs, int inputs) => Segmented(weight, bias, outputs, 1, inputs);

    /// <summary>
    /// The two layers of an MLP, in parts of the hidden channels, each of which goes there and back while it is in the cache: the
    /// narrowing layer's bias is in the first.
    /// </summary>
    /// <param name="widen">hidden x channels.</param>
    /// <param name="widenBias">[hidden].</param>
    /// <param name="narrow">channels x hidden.</param>
    /// <param name="narrowBias">[channels].</param>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="hidden">Hidden channels.</param>
    public ImmutableArray<(LinearWeights Widen, LinearWeights Narrow)> Mlp(
        ReadOnlySpan<float> widen, ReadOnlySpan<float> widenBias, ReadOnlySpan<float> narrow, ReadOnlySpan<float> narrowBias, int channels, int hidden)
    {
        int parts = (hidden + HiddenOfPart - 1) / HiddenOfPart, most = EncoderKernels.Padded((hidden + parts - 1) / parts);
        var list = ImmutableArray.CreateBuilder<(LinearWeights, LinearWeights)>(parts);
        for (int from = 0; from < hidden; from += most)
        {
            int count = Math.Min(most, hidden - from);
            list.Add((
                Linear(widen.Slice(from * channels, count * channels), widenBias.Slice(from, count), count, channels),
                Segmented(narrow[from..], from == 0 ? narrowBias : [], channels, 1, count, hidden)));
        }

        return list.DrainToImmutable();
    }

    /// <summary>A convolution as PyTorch keeps it, outputs x inputs x kernel x kernel, for rows of tokens: a segment for each place of the kernel.</summary>
    public LinearWeights Convolution(ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, int outputs, int inputs, int kernel)
    {
        int places = kernel * kernel;
        float[] ordered = new float[weight.Length];
        for (int o = 0; o < outputs; o++)
        {
            for (int i = 0; i < inputs; i++)
            {
                for (int place = 0; place < places; place++) ordered[(((o * places) + place) * inputs) + i] = weight[(((o * inputs) + i) * places) + place];
            }
        }

        return Segmented(ordered, bias, outputs, places, inputs);
    }

    /// <summary>A depthwise 3 x 3 convolution as PyTorch keeps it: channels x 1 x 3 x 3.</summary>
    public DepthwiseWeights Depthwise(ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, int channels)
    {
        int room = EncoderKernels.Padded(channels);
        float[] ordered = new float[9 * room];
        for (int channel = 0; channel < channels; channel++)
        {
            for (int tap = 0; tap < 9; tap++) ordered[(tap * room) + channel] = weight[(channel * 9) + tap];
        }

        return new DepthwiseWeights(Copy(ordered), Copy(bias, room), channels);
    }

    /// <summary>A LayerNorm that is followed by something else than a product.</summary>
    public NormWeights Norm(ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, float epsilon) =>
        new(Copy(weight, EncoderKernels.Padded(weight.Length)), Copy(bias, EncoderKernels.Padded(bias.Length)), epsilon);

    /// <summary>Rows of values, each with room for a multiple of <see cref="EncoderKernels.Lanes"/>: positions of tokens.</summary>
    public nint CopyRows(ReadOnlySpan<float> values, int width)
    {
        int room = EncoderKernels.Padded(width), rows = values.Length / width;
        float* copy = Allocate((long)rows * room);
        for (int row = 0; row < rows; row++)
        {
            Span<float> to = new(copy + ((nint)row * room), room);
            values.Slice(row * width, width).CopyTo(to);
            to[width..].Clear();
        }

        return (nint)copy;
    }

    /// <summary>
    /// The two tables of decomposed relative positions, (2 side - 1) x channels of a head each, as one matrix whose products
    /// <see cref="EncoderKernels.RelativeScores"/> reads.
    /// </summary>
    /// <param name="rows">Entry i is for queries i - (side - 1) rows beyond the key.</param>
    /// <param name="columns">The same for columns.</param>
    /// <param name="channels">Channels of a head.</param>
    /// <param name="factor">What makes scores of the products with queries, which have a factor of their own.</param>
    public LinearWeights Relatives(ReadOnlySpan<float> rows, ReadOnlySpan<float> columns, int channels, float factor)
    {
        int entries = rows.Length / channels, room = EncoderKernels.Padded(entries);
        float[] table = new float[2 * room * channels];
        // The other way round, so that what a query needs for keys one after the other lies so.
        for (int entry = 0; entry < entries; entry++)
        {
            int from = (entries - 1 - entry) * channels;
            TensorPrimitives.Multiply(rows.Slice(from, channels), factor, table.AsSpan(entry * channels, channels));
            TensorPrimitives.Multiply(columns.Slice(from, channels), factor, table.AsSpan((room + entry) * channels, channels));
        }

        return Segmented(table, [], 2 * room, 1, channels);
    }

    /// <summary>Values on lines of 64 bytes, with zeros behind them up to a length.</summary>
    public nint Copy(ReadOnlySpan<float> values, int length = 0)
    {
        length = Math.Max(length, values.Length);
        float* copy = Allocate(length);
        values.CopyTo(new Span<float>(copy, length));
        new Span<float>(copy + values.Length, length - values.Length).Clear();
        return (nint)copy;
    }

    public void Dispose()
    {
        foreach (NativeFloats block in _blocks) block.Dispose();
    }

    // Rows of the weight are "stride" values apart: as many as they have, unless only a part of each is wanted.
    private LinearWeights Segmented(ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, int outputs, int segments, int inputs, int stride = 0)
    {
        int columns = EncoderKernels.Padded(outputs), steps = segments * inputs;
        if (stride == 0) stride = steps;
        ArgumentOutOfRangeException.ThrowIfLessThan(weight.Length, ((outputs - 1) * stride) + steps, nameof(weight));
        // As many columns as rows have room for: narrow vectors would pack fewer.
        float[]? padded = outputs == columns ? null : new float[columns * stride];
        if (padded is not null) weight[..(((outputs - 1) * stride) + steps)].CopyTo(padded);
        float* panels = Allocate((long)columns * steps);
        fixed (float* source = padded is null ? weight : padded) Operations.PackTransposed(source, stride, columns, steps, panels);
        return new LinearWeights((nint)panels, bias.IsEmpty ? 0 : Copy(bias, columns), segments, inputs, outputs);
    }

    private float* Allocate(long count)
    {
        NativeFloats block = new(count);
        _blocks.Add(block);
        return block.Pointer;
    }
}
