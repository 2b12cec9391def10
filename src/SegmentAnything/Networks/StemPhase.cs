using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>
/// From the image to a quarter of its size by two 3 x 3 convolutions of stride 2 with GELU between them: an item goes down a band of
/// columns row by row, and keeps the three rows that the second convolution sees.
/// </summary>
internal sealed unsafe class StemPhase : NetworkPhase
{
    private const int BandColumns = 64, ShortestStrip = 8, Places = 9;

    private readonly int _side, _bands, _strips, _columns, _innerColumns, _patch;
    private readonly Picture _result;
    private readonly LinearWeights _first, _second;

    /// <param name="side">Side of the image, in pixels: a multiple of 4.</param>
    /// <param name="result">What comes out.</param>
    /// <param name="first">Of the planes' patches, (plane, row, column), as one segment.</param>
    /// <param name="second">Of nine segments.</param>
    public StemPhase(int side, Picture result, LinearWeights first, LinearWeights second)
    {
        _side = side;
        _result = result;
        _first = first;
        _second = second;
        _bands = (result.Width + BandColumns - 1) / BandColumns;
        _strips = Math.Max(1, result.Height / ShortestStrip);
        _columns = (result.Width + _bands - 1) / _bands;
        _innerColumns = (2 * _columns) + 1;
        _patch = EncoderKernels.Padded(first.Inputs);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => _bands * _strips;

    public override int Zeros => _first.Columns;

    public override long MultiplyAdds =>
        (long)_result.Width * _result.Height * _first.Outputs * ((4 * _first.Inputs) + (Places * _result.Channels));

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        public float** Patches, Inner, Seen, Results;

        public float* Patch, Ring;
    }

    private Memory Deal(ref FloatArena arena) => new()
    {
        Patches = TakeAddresses(ref arena, _innerColumns),
        Inner = TakeAddresses(ref arena, _innerColumns),
        Seen = TakeAddresses(ref arena, Places * _columns),
        Results = TakeAddresses(ref arena, _columns),
        Patch = arena.Take((long)_innerColumns * _patch),
        Ring = arena.Take(3L * _innerColumns * _first.Columns),
    };

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        TileOperations operations = run.Operations;
        (int strip, int band) = Math.DivRem(item, _bands);
        int x0 = FirstOf(band, _bands, _result.Width), x1 = FirstOf(band + 1, _bands, _result.Width), columns = x1 - x0;
        int y0 = FirstOf(strip, _strips, _result.Height), y1 = FirstOf(strip + 1, _strips, _result.Height);
        int left = Math.Max(0, (2 * x0) - 1), inner = (2 * x1) - left;
        Fill(memory.Patches, inner, memory.Patch, _patch);
        int next = Math.Max(0, (2 * y0) - 1);
        for (int y = y0; y < y1; y++)
        {
            for (; next <= (2 * y) + 1; next++)
            {
                EncoderKernels.GatherPatches(run.Image, 3, _side, 3, (2 * next) - 1, (2 * left) - 1, 2, inner, memory.Patch, _patch);
                Fill(memory.Inner, inner, RingRow(memory, next), _first.Columns);
                RowProduct first = _first.Of(memory.Patches, inner);
                first.Result = memory.Inner;
                first.Gelu = run.Gelu;
                operations.Product(first);
            }

            for (int place = 0; place < Places; place++)
            {
                int row = (2 * y) + (place / 3) - 1;
                for (int x = 0; x < columns; x++)
                {
                    int column = (2 * (x0 + x)) + (place % 3) - 1;
                    memory.Seen[(place * columns) + x] = row < 0 || column < 0 ? run.Zeros : RingRow(memory, row) + ((column - left) * _first.Columns);
                }
            }

            Fill(memory.Results, columns, run.Row(_result, y) + (x0 * _result.Stride), _result.Stride);
            RowProduct second = _second.Of(memory.Seen, columns);
            second.Result = memory.Results;
            operations.Product(second);
        }
    }

    private float* RingRow(in Memory memory, int y) => memory.Ring + (y % 3 * (nint)_innerColumns * _first.Columns);
}
