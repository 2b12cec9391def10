using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>
/// narrow(gelu(depthwise(gelu(widen(x))))), with or without x added and GELU behind it: an item goes down a band of columns row by
/// row, and keeps the three rows that the convolution sees.
/// </summary>
internal sealed unsafe class InvertedBottleneckPhase : NetworkPhase
{
    // Floats of the three rows: with what else an item has, they stay in the second-level cache.
    private const int RingValues = 52 << 10;

    // A strip begins with rows that its neighbour computes too, so it is not shorter than this.
    private const int ShortestStrip = 16;

    private readonly Picture _source, _result;
    private readonly LinearWeights _widen, _narrow;
    private readonly DepthwiseWeights _depthwise;
    private readonly int _stride, _bands, _strips, _columns, _sourceColumns;
    private readonly bool _residual;

    /// <param name="source">x.</param>
    /// <param name="result">What comes out.</param>
    /// <param name="widen">The 1 x 1 convolution before.</param>
    /// <param name="depthwise">The 3 x 3 convolution.</param>
    /// <param name="narrow">The 1 x 1 convolution behind.</param>
    /// <param name="stride">By how much the 3 x 3 convolution shrinks the picture: 1 or 2.</param>
    /// <param name="residual">Whether x is added, and GELU follows.</param>
    public InvertedBottleneckPhase(
        Picture source, Picture result, LinearWeights widen, DepthwiseWeights depthwise, LinearWeights narrow, int stride, bool residual)
    {
        _source = source;
        _result = result;
        _widen = widen;
        _depthwise = depthwise;
        _narrow = narrow;
        _stride = stride;
        _residual = residual;
        _bands = Math.Clamp((3 * source.Width * widen.Columns + RingValues - 1) / RingValues, 1, result.Width);
        _strips = Math.Clamp(result.Height / ShortestStrip, 1, result.Height);
        _columns = (result.Width + _bands - 1) / _bands;
        _sourceColumns = Math.Min(source.Width, (stride * (_columns - 1)) + 3);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => _bands * _strips;

    public override int Zeros => _sourceColumns * _widen.Columns;

    public override long MultiplyAdds =>
        ((long)_source.Width * _source.Height * _source.Channels * _widen.Outputs) + ((long)_result.Width * _result.Height * _widen.Outputs * (9 + _result.Channels));

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        public float** Sources, Wide, Filtered, Starts, Results;

        public float* Ring, Filter;
    }

    private Memory Deal(ref FloatArena arena) => new()
    {
        Sources = TakeAddresses(ref arena, _sourceColumns),
        Wide = TakeAddresses(ref arena, _sourceColumns),
        Filtered = TakeAddresses(ref arena, _columns),
        Starts = TakeAddresses(ref arena, _columns),
        Results = TakeAddresses(ref arena, _columns),
        Ring = arena.Take(3L * _sourceColumns * _widen.Columns),
        Filter = arena.Take((long)_columns * _widen.Columns),
    };

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        TileOperations operations = run.Operations;
        (int strip, int band) = Math.DivRem(item, _bands);
        int x0 = FirstOf(band, _bands, _result.Width), x1 = FirstOf(band + 1, _bands, _result.Width), columns = x1 - x0;
        int y0 = FirstOf(strip, _strips, _result.Height), y1 = FirstOf(strip + 1, _strips, _result.Height);
        int left = Math.Max(0, (_stride * x0) - 1), right = Math.Min(_source.Width, (_stride * (x1 - 1)) + 2), channels = _widen.Columns;
        Fill(memory.Filtered, columns, memory.Filter, channels);
        int next = Math.Max(0, (_stride * y0) - 1);
        for (int y = y0; y < y1; y++)
        {
            for (; next <= Math.Min((_stride * y) + 1, _source.Height - 1); next++)
            {
                Fill(memory.Sources, right - left, run.Row(_source, next) + (left * _source.Stride), _source.Stride);
                Fill(memory.Wide, right - left, RingRow(memory, next), channels);
                RowProduct widen = _widen.Of(memory.Sources, right - left);
                widen.Result = memory.Wide;
                widen.Gelu = run.Gelu;
                operations.Product(widen);
            }

            nint middle = ((_stride * x0) - left) * channels;
            operations.Depthwise(new DepthwiseRow
            {
                Above = Seen(run, memory, (_stride * y) - 1, middle),
                Here = Seen(run, memory, _stride * y, middle),
                Below = Seen(run, memory, (_stride * y) + 1, middle),
                Tokens = columns,
                Stride = _stride,
                Left = _stride * x0 > 0,
                Right = (_stride * (x1 - 1)) + 1 < _source.Width,
                Channels = channels,
                Weights = (float*)_depthwise.Weights,
                Bias = (float*)_depthwise.Bias,
                Zeros = run.Zeros,
                Result = memory.Filter,
                Gelu = run.Gelu,
            });

            Fill(memory.Results, columns, run.Row(_result, y) + (x0 * _result.Stride), _result.Stride);
            RowProduct narrow = _narrow.Of(memory.Filtered, columns);
            narrow.Result = memory.Results;
            if (_residual)
            {
                Fill(memory.Starts, columns, run.Row(_source, y) + (x0 * _source.Stride), _source.Stride);
                narrow.Start = memory.Starts;
                narrow.Gelu = run.Gelu;
            }

            operations.Product(narrow);
        }
    }

    private float* RingRow(in Memory memory, int y) => memory.Ring + (y % 3 * (nint)_sourceColumns * _widen.Columns);

    // A row as the convolution sees it, from the token that its middle column meets first.
    private float* Seen(NetworkRun run, in Memory memory, int y, nint middle) =>
        (uint)y < (uint)_source.Height ? RingRow(memory, y) + middle : run.Zeros + middle;
}
