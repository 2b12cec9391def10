using System.Collections.Immutable;
using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>
/// y + narrow(gelu(widen(norm(y)))), where y is the picture, or a depthwise convolution of it: an item has some rows of tokens, from
/// the first step to the last.
/// </summary>
internal sealed unsafe class MlpPhase : NetworkPhase
{
    // Floats of the widest rows of an item: with its other rows they stay in the second-level cache.
    private const int HiddenValues = 80 << 10;

    // Tokens of an item at least, as far as there are items enough for all threads: enough for the weights to be worth their way from memory.
    private const int TokensOfItem = 128, EnoughItems = 16;

    private readonly Picture _source, _result;
    private readonly DepthwiseWeights? _depthwise;
    private readonly NormWeights _norm;
    private readonly ImmutableArray<(LinearWeights Widen, LinearWeights Narrow)> _parts;
    private readonly int _rowsOfItem, _hidden, _normalStride;

    /// <param name="source">What goes in.</param>
    /// <param name="result">What comes out: the source itself, unless there is a convolution.</param>
    /// <param name="depthwise">The convolution, or null.</param>
    /// <param name="norm">The norm.</param>
    /// <param name="parts">To some of the hidden channels, and back.</param>
    public MlpPhase(
        Picture source, Picture result, DepthwiseWeights? depthwise, NormWeights norm, ImmutableArray<(LinearWeights Widen, LinearWeights Narrow)> parts)
    {
        _source = source;
        _result = result;
        _depthwise = depthwise;
        _norm = norm;
        _parts = parts;
        _hidden = EncoderKernels.Spread(parts.Max(part => part.Widen.Columns));
        _normalStride = EncoderKernels.Spread(source.Channels);
        _rowsOfItem = Math.Max(
            Math.Min(HiddenValues / (source.Width * _hidden), source.Height), Math.Clamp(TokensOfItem / source.Width, 1, Math.Max(1, source.Height / EnoughItems)));
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => (_source.Height + _rowsOfItem - 1) / _rowsOfItem;

    public override int Zeros => _source.Width * _source.Stride;

    public override long MultiplyAdds =>
        (long)_source.Width * _source.Height * _source.Channels * ((2L * _parts.Sum(part => part.Widen.Outputs)) + (_depthwise is null ? 0 : 9));

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        public float** Tokens, Normals, Hidden;

        public float* Normal, Wide;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int tokens = _rowsOfItem * _source.Width;
        return new Memory
        {
            Tokens = TakeAddresses(ref arena, tokens),
            Normals = TakeAddresses(ref arena, tokens),
            Hidden = TakeAddresses(ref arena, tokens),
            Normal = arena.Take((long)tokens * _normalStride),
            Wide = arena.Take((long)tokens * _hidden),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        TileOperations operations = run.Operations;
        int first = item * _rowsOfItem, end = Math.Min(first + _rowsOfItem, _source.Height), tokens = (end - first) * _source.Width;
        if (_depthwise is { } depthwise)
        {
            for (int y = first; y < end; y++)
            {
                operations.Depthwise(new DepthwiseRow
                {
                    Above = run.Row(_source, y - 1),
                    Here = run.Row(_source, y),
                    Below = run.Row(_source, y + 1),
                    Tokens = _source.Width,
                    Stride = 1,
                    Channels = _source.Stride,
                    Weights = (float*)depthwise.Weights,
                    Bias = (float*)depthwise.Bias,
                    Zeros = run.Zeros,
                    Result = run.Row(_result, y),
                });
            }
        }

        Fill(memory.Tokens, tokens, run.Row(_result, first), _result.Stride);
        Fill(memory.Normals, tokens, memory.Normal, _normalStride);
        Fill(memory.Hidden, tokens, memory.Wide, _hidden);
        operations.LayerNorm(memory.Tokens, tokens, _result.Channels, (float*)_norm.Weight, (float*)_norm.Bias, _norm.Epsilon, memory.Normal, _normalStride);
        foreach ((LinearWeights widen, LinearWeights narrow) in _parts)
        {
            RowProduct product = widen.Of(memory.Normals, tokens);
            product.Result = memory.Hidden;
            product.Gelu = run.Gelu;
            operations.Product(product);
            product = narrow.Of(memory.Hidden, tokens);
            product.Start = product.Result = memory.Tokens;
            operations.Product(product);
        }
    }
}
