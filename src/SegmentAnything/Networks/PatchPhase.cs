using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>Tokens of an image's patches, which may overlap, with their positions: an item has some rows of tokens.</summary>
internal sealed unsafe class PatchPhase : NetworkPhase
{
    // Tokens of an item: enough for the weights to be worth their way from memory.
    private const int TokensOfItem = 128;

    private readonly int _side, _kernel, _stride, _padding, _rowsOfItem, _patch;
    private readonly Picture _result;
    private readonly LinearWeights _weights;
    private readonly nint _positions;

    /// <param name="side">Side of the image, in pixels.</param>
    /// <param name="kernel">Side of a patch.</param>
    /// <param name="stride">Pixels from one patch to the next.</param>
    /// <param name="padding">Pixels of zeros around the image.</param>
    /// <param name="result">What comes out.</param>
    /// <param name="weights">Of a patch's values: (plane, row, column).</param>
    /// <param name="positions">[token], as <see cref="NetworkWeights.CopyRows"/> lays them: what is added.</param>
    public PatchPhase(int side, int kernel, int stride, int padding, Picture result, LinearWeights weights, nint positions)
    {
        (_side, _kernel, _stride, _padding, _result, _weights, _positions) = (side, kernel, stride, padding, result, weights, positions);
        _rowsOfItem = Math.Clamp(TokensOfItem / result.Width, 1, result.Height);
        _patch = EncoderKernels.Spread(weights.Inputs);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => (_result.Height + _rowsOfItem - 1) / _rowsOfItem;

    public override long MultiplyAdds => (long)_result.Width * _result.Height * _weights.Inputs * _weights.Outputs;

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        public float** Patches, Positions, Results;

        public float* Patch;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int tokens = _rowsOfItem * _result.Width;
        return new Memory
        {
            Patches = TakeAddresses(ref arena, tokens),
            Positions = TakeAddresses(ref arena, tokens),
            Results = TakeAddresses(ref arena, tokens),
            Patch = arena.Take((long)tokens * _patch),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        int width = _result.Width, first = item * _rowsOfItem, end = Math.Min(first + _rowsOfItem, _result.Height), tokens = (end - first) * width;
        float* patches = memory.Patch;
        for (int y = first; y < end; y++, patches += (nint)width * _patch)
            EncoderKernels.GatherPatches(run.Image, 3, _side, _kernel, (y * _stride) - _padding, -_padding, _stride, width, patches, _patch);
        Fill(memory.Patches, tokens, memory.Patch, _patch);
        Fill(memory.Positions, tokens, (float*)_positions + (first * _result.RowStride), _result.Stride);
        Fill(memory.Results, tokens, run.Row(_result, first), _result.Stride);
        RowProduct product = _weights.Of(memory.Patches, tokens);
        product.Start = memory.Positions;
        product.Result = memory.Results;
        run.Operations.Product(product);
    }
}
