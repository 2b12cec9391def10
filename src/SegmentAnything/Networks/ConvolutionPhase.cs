using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>norm(convolution(x)) with a kernel of 1 x 1 or 3 x 3, to a picture or to the planes of a map: an item has some rows of tokens.</summary>
internal sealed unsafe class ConvolutionPhase : NetworkPhase
{
    // Tokens of an item: enough for the weights to be worth their way from memory.
    private const int TokensOfItem = 128;

    private readonly Picture _source;
    private readonly Picture? _result;
    private readonly int _map, _kernel, _rowsOfItem;
    private readonly LinearWeights _weights;
    private readonly NormWeights _norm;

    /// <param name="source">x.</param>
    /// <param name="result">What comes out; null where it is a map of the network.</param>
    /// <param name="map">Which map, if so.</param>
    /// <param name="weights">A segment for each place of the kernel.</param>
    /// <param name="norm">The norm.</param>
    public ConvolutionPhase(Picture source, Picture? result, int map, LinearWeights weights, NormWeights norm)
    {
        _source = source;
        _result = result;
        _map = map;
        _weights = weights;
        _norm = norm;
        _kernel = weights.Segments == 1 ? 1 : 3;
        _rowsOfItem = Math.Clamp(TokensOfItem / source.Width, 1, source.Height);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => (_source.Height + _rowsOfItem - 1) / _rowsOfItem;

    public override int Zeros => _source.Width * _source.Stride;

    public override long MultiplyAdds => (long)_source.Width * _source.Height * _weights.Segments * _weights.Inputs * _weights.Outputs;

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        public float** Seen, Sums;

        public float* Rows, Normal;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int tokens = _rowsOfItem * _source.Width;
        return new Memory
        {
            Seen = TakeAddresses(ref arena, _weights.Segments * tokens),
            Sums = TakeAddresses(ref arena, tokens),
            Rows = arena.Take((long)tokens * _weights.Columns),
            Normal = arena.Take((long)tokens * _weights.Columns),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        TileOperations operations = run.Operations;
        int width = _source.Width, first = item * _rowsOfItem, end = Math.Min(first + _rowsOfItem, _source.Height), tokens = (end - first) * width, reach = _kernel / 2;
        for (int place = 0; place < _weights.Segments; place++)
        {
            float** seen = memory.Seen + (place * tokens);
            for (int y = first; y < end; y++)
            {
                float* row = run.Row(_source, y + (place / _kernel) - reach);
                for (int x = 0; x < width; x++)
                {
                    int column = x + (place % _kernel) - reach;
                    *seen++ = (uint)column < (uint)width ? row + (column * _source.Stride) : run.Zeros;
                }
            }
        }

        Fill(memory.Sums, tokens, memory.Rows, _weights.Columns);
        RowProduct product = _weights.Of(memory.Seen, tokens);
        product.Result = memory.Sums;
        operations.Product(product);
        float* normal = _result is null ? memory.Normal : run.Row(_result, first);
        operations.LayerNorm(memory.Sums, tokens, _weights.Outputs, (float*)_norm.Weight, (float*)_norm.Bias, _norm.Epsilon, normal, _weights.Columns);
        if (_result is null)
            EncoderKernels.ToPlanes(normal, _weights.Columns, tokens, _weights.Outputs, run.Map(_map) + (first * width), (nint)width * _source.Height);
    }
}

/// <summary>A picture as a map that comes out: an item has a row of tokens.</summary>
internal sealed unsafe class MapPhase(Picture source, int map) : NetworkPhase
{
    public override int Items => source.Height;

    public override long MultiplyAdds => 0;

    public override long ScratchLength => 0;

    public override void Execute(NetworkRun run, int item, float* scratch) => EncoderKernels.ToPlanes(
        run.Row(source, item), source.Stride, source.Width, source.Channels, run.Map(map) + (item * source.Width), (nint)source.Width * source.Height);
}
