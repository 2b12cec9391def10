using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>
/// The upscaled image of one prompt, and what the refinement makes of it: each pixel of an image token in a plane of its own, at
/// the positions of a grid that has a border of zeros.
/// </summary>
internal sealed unsafe class TiledRefinementMemory : IDisposable
{
    private readonly NativeFloats _memory;

    public TiledRefinementMemory(TiledGrid grid, int channels)
    {
        Grid = grid;
        Row = grid.Side + 2;

        // A row above and one below, and whole tiles of what is between them.
        PlaneStride = DecoderMath.RoundUp(((grid.Side + 3) * Row) + DecoderKernels.TileTokens, DecoderKernels.BlockRows * 2);
        long pixels = (long)DecoderKernels.TokenPixels * PlaneStride;
        FloatArena measure = new(null);
        Place(ref measure, pixels, channels);
        _memory = new NativeFloats(measure.Used);
        new Span<float>(_memory.Pointer, checked((int)_memory.Length)).Clear();
        FloatArena deal = new(_memory.Pointer);
        Place(ref deal, pixels, channels);
    }

    public TiledGrid Grid { get; }

    /// <summary>Positions from one row of tokens to the next.</summary>
    public int Row { get; }

    /// <summary>Floats from one plane to the next.</summary>
    public int PlaneStride { get; }

    /// <summary>[channel][4 x 4][position].</summary>
    public float* Upscaled { get; private set; }

    /// <summary>What each pixel gives to those around it: [4 x 4][3 x 3][position].</summary>
    public float* Taps { get; private set; }

    /// <summary>The logits that the convolutions give: 4G x 4G.</summary>
    public float* Logits { get; private set; }

    /// <summary>Tiles of the positions of so many rows of tokens.</summary>
    public int TilesOf(int rows) => ((rows * Row) + DecoderKernels.TileTokens - 1) / DecoderKernels.TileTokens;

    /// <summary>The position of the first token of a row.</summary>
    public int Position(int row, int column) => ((row + 1) * Row) + column + 1;

    public void Dispose() => _memory.Dispose();

    private void Place(ref FloatArena arena, long pixels, int channels)
    {
        Upscaled = arena.Take(pixels * channels);
        Taps = arena.Take(pixels * 9);
        Logits = arena.Take(DecoderKernels.TokenPixels * (long)Grid.Tokens);
    }
}
