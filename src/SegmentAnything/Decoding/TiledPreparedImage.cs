using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>What the tiled decoder keeps of an image: all linear maps of it that any prompt needs.</summary>
internal sealed unsafe class TiledPreparedImage : IPreparedImage
{
    private readonly NativeFloats _values;

    /// <summary>Memory for an image.</summary>
    /// <param name="owner">The weights.</param>
    /// <param name="grid">The grid.</param>
    /// <param name="withoutMask">The same image without a mask prompt, which must outlive this one; null for such an image itself.</param>
    public TiledPreparedImage(TiledDecoderWeights owner, TiledGrid grid, TiledPreparedImage? withoutMask)
    {
        Owner = owner;
        Grid = grid;
        if (withoutMask is not null)
        {
            Keys0 = withoutMask.Keys0;
            Queries0 = withoutMask.Queries0;
            Maps = withoutMask.Maps;
            AfterSecond = withoutMask.AfterSecond;
            RefinedFeatures = withoutMask.RefinedFeatures;
            withoutMask.Values.CopyTo(Values, 0);
            MaskRows = owner.Maps.MaskRows;
        }

        FloatArena measure = new(null);
        Place(ref measure);
        _values = new NativeFloats(measure.Used);
        FloatArena deal = new(_values.Pointer);
        Place(ref deal);
    }

    /// <summary>The weights that it was prepared with.</summary>
    public TiledDecoderWeights Owner { get; }

    public TiledGrid Grid { get; }

    public bool IsDisposed { get; private set; }

    /// <inheritdoc/>
    public long Bytes => _values.Length * sizeof(float);

    /// <summary>Keys of layer 0's token-to-image attention: [tile][inner][TileTokens].</summary>
    public float* Keys0 { get; private set; }

    /// <summary>Queries of layer 0's image-to-token attention: [tile][inner][TileTokens].</summary>
    public float* Queries0 { get; private set; }

    /// <summary>
    /// The maps of <see cref="ImageMaps.Panels"/>, and behind them what the first upscaling adds before its norm, if anything, in
    /// rows (sy, sx, channel): [tile][<see cref="TiledDecoderWeights.MapRows"/>][TileTokens].
    /// </summary>
    public float* Maps { get; private set; }

    /// <summary>Coordinates that a mask prompt gives: none without.</summary>
    public int MaskRows { get; }

    /// <summary>The mask prompt's coordinates, see <see cref="ImageMaps.MaskRows"/>: [tile][row][TileTokens].</summary>
    public float* Mask { get; private set; }

    /// <summary>
    /// What the second upscaling adds, its bias included: [tile][(sy, sx) of the first][(sy, sx)][channel][TileTokens]; null where it
    /// adds nothing but its bias.
    /// </summary>
    public float* AfterSecond { get; private set; }

    /// <summary>
    /// What a refinement adds: [tile][(sy, sx) of the first][(sy, sx)][channel][TileTokens]; null where there is none.
    /// </summary>
    public float* RefinedFeatures { get; private set; }

    /// <summary>Was it prepared with the values that stand for no mask?</summary>
    public bool IsWithoutMask { get; set; }

    /// <summary>What <see cref="DecoderKernels.ImageMoments"/> finds: [tile][3][TileTokens].</summary>
    public float* Moments { get; private set; }

    /// <summary>Values of layer 0, layer 1 and the final attention: [tile][TileTokens][head][value head stride] each.</summary>
    public float*[] Values { get; } = new float*[3];

    public void Dispose()
    {
        IsDisposed = true;
        _values.Dispose();
    }

    private void Place(ref FloatArena arena)
    {
        long lanes = (long)Grid.Tiles * DecoderKernels.TileTokens;
        Moments = arena.Take(lanes * DecoderKernels.MomentRows);
        Mask = arena.Take(lanes * MaskRows);
        if (MaskRows > 0) return;
        Keys0 = arena.Take(lanes * Owner.Inner);
        Queries0 = arena.Take(lanes * Owner.Inner);
        Maps = arena.Take(lanes * Owner.MapRows);
        if (Owner.HasHighRes) AfterSecond = arena.Take(lanes * 2 * Owner.Channels);
        if (Owner.Refinement is not null) RefinedFeatures = arena.Take(lanes * 2 * Owner.Channels);
        for (int i = 0; i < Values.Length; i++) Values[i] = arena.Take(lanes * Owner.Heads * Owner.ValueHeadStride);
    }
}

/// <summary>The image tokens of one grid size: how they fall into tiles, their positional encoding, and its maps.</summary>
internal sealed unsafe class TiledGrid : IDisposable
{
    private readonly NativeFloats _encoding;
    private readonly NativeFloats _maps;

    /// <summary>Lays out a grid. <see cref="TiledDecoding.Prepare(TiledGrid)"/> fills its maps.</summary>
    public TiledGrid(int side, int segments, TiledDecoderWeights weights)
    {
        Side = side;
        Tokens = side * side;
        Tiles = (Tokens + DecoderKernels.TileTokens - 1) / DecoderKernels.TileTokens;
        Segments = Math.Min(segments, Tiles);
        int channels = weights.Channels;
        _encoding = new NativeFloats((long)Tiles * channels * DecoderKernels.TileTokens);
        _maps = new NativeFloats((long)Tiles * 3 * weights.Maps.Block * DecoderKernels.TileTokens);
        new Span<float>(_encoding.Pointer, checked((int)_encoding.Length)).Clear();
        for (int token = 0; token < Tokens; token++)
        {
            float* tile = Encoding + (token / DecoderKernels.TileTokens * (nint)channels * DecoderKernels.TileTokens) + (token % DecoderKernels.TileTokens);
            double x = (2 * ((token % side) + 0.5) / side) - 1;
            double y = (2 * ((token / side) + 0.5) / side) - 1;
            for (int c = 0; c < channels / 2; c++)
            {
                double angle = 2 * Math.PI * ((x * weights.GaussianMatrix[c]) + (y * weights.GaussianMatrix[(channels / 2) + c]));
                tile[c * DecoderKernels.TileTokens] = (float)Math.Sin(angle);
                tile[((channels / 2) + c) * DecoderKernels.TileTokens] = (float)Math.Cos(angle);
            }
        }
    }

    /// <summary>Image tokens a row and a column.</summary>
    public int Side { get; }

    public int Tokens { get; }

    public int Tiles { get; }

    /// <summary>
    /// Parts of the image whose softmax is summed on its own. Their number is fixed, so that a prompt's result depends neither
    /// on which thread did what, nor on the batch that the prompt is in.
    /// </summary>
    public int Segments { get; }

    /// <summary>[tile][channel][TileTokens], 0 beyond the picture.</summary>
    public float* Encoding => _encoding.Pointer;

    /// <summary>The maps of <see cref="ImageMaps.EncodingPanels"/>: [tile][3 blocks][TileTokens].</summary>
    public float* Maps => _maps.Pointer;

    /// <summary>Image tokens in a tile: fewer in the last.</summary>
    public int TokensIn(int tile) => Math.Min(DecoderKernels.TileTokens, Tokens - (tile * DecoderKernels.TileTokens));

    /// <summary>The first tiles, which hold so many rows of the grid.</summary>
    public int TilesOf(int rows) => rows >= Side ? Tiles : ((rows * Side) + DecoderKernels.TileTokens - 1) / DecoderKernels.TileTokens;

    /// <summary>The first tile of a part of the image; that of the next ends it.</summary>
    /// <remarks>
    /// Rounded up, so that a longer part comes before a shorter one: of 22, 21, 22 and 21 tiles each of two threads gets 43.
    /// </remarks>
    public static int FirstOfPart(int part, int parts, int tiles) => ((part * tiles) + parts - 1) / parts;

    public void Dispose()
    {
        _encoding.Dispose();
        _maps.Dispose();
    }
}
