using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>A linear layer of every token, which may be added to another picture: an item has some rows of tokens.</summary>
internal sealed unsafe class LinearPhase : NetworkPhase
{
    // Tokens of an item: enough for the weights to be worth their way from memory.
    private const int TokensOfItem = 128;

    private readonly Picture _source;
    private readonly Picture? _result, _start;
    private readonly LinearWeights _weights;
    private readonly int _map, _enlargement, _rowsOfItem;

    private LinearPhase(Picture source, LinearWeights weights, Picture? start, Picture? result, int map)
    {
        (_source, _weights, _start, _result, _map) = (source, weights, start, result, map);
        _enlargement = start is null ? 1 : source.Width / start.Width;
        _rowsOfItem = Math.Clamp(TokensOfItem / source.Width, 1, source.Height);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    /// <summary>To a picture.</summary>
    /// <param name="source">x.</param>
    /// <param name="weights">The layer.</param>
    /// <param name="start">What it is added to, or null; may be the result. Where it is smaller, each of its tokens counts for several: the nearest.</param>
    /// <param name="result">What comes out.</param>
    public static LinearPhase ToPicture(Picture source, LinearWeights weights, Picture? start, Picture result) => new(source, weights, start, result, 0);

    /// <summary>To the planes of a map.</summary>
    /// <param name="source">x.</param>
    /// <param name="weights">The layer.</param>
    /// <param name="start">As above.</param>
    /// <param name="map">Which map.</param>
    public static LinearPhase ToMap(Picture source, LinearWeights weights, Picture? start, int map) => new(source, weights, start, null, map);

    public override int Items => (_source.Height + _rowsOfItem - 1) / _rowsOfItem;

    public override long MultiplyAdds => (long)_source.Width * _source.Height * _weights.Inputs * _weights.Outputs;

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        public float** Sources, Starts, Results;

        public float* Rows;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int tokens = _rowsOfItem * _source.Width;
        return new Memory
        {
            Sources = TakeAddresses(ref arena, tokens),
            Starts = TakeAddresses(ref arena, tokens),
            Results = TakeAddresses(ref arena, tokens),
            Rows = arena.Take(_result is null ? (long)tokens * _weights.Columns : 0),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        int width = _source.Width, first = item * _rowsOfItem, end = Math.Min(first + _rowsOfItem, _source.Height), tokens = (end - first) * width;
        Fill(memory.Sources, tokens, run.Row(_source, first), _source.Stride);
        RowProduct product = _weights.Of(memory.Sources, tokens);
        if (_start is { } start)
        {
            for (int token = 0; token < tokens; token++)
            {
                (int y, int x) = Math.DivRem(token, width);
                memory.Starts[token] = run.Row(start, (first + y) / _enlargement) + (x / _enlargement * start.Stride);
            }

            product.Start = memory.Starts;
        }

        if (_result is null) Fill(memory.Results, tokens, memory.Rows, _weights.Columns);
        else Fill(memory.Results, tokens, run.Row(_result, first), _result.Stride);
        product.Result = memory.Results;
        run.Operations.Product(product);
        if (_result is null)
            EncoderKernels.ToPlanes(memory.Rows, _weights.Columns, tokens, _weights.Outputs, run.Map(_map) + (first * width), (nint)width * _source.Height);
    }
}
