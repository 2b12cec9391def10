using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>Scratch of one thread.</summary>
internal unsafe struct TiledWorkerMemory
{
    /// <summary>[C][TileTokens].</summary>
    public float* TileA, TileB;

    /// <summary>Keys or queries of the image with the encoding's: [H c][TileTokens].</summary>
    public float* Encoded;

    /// <summary>Scores, then their softmax's weights or powers: [H][T or Q][TileTokens].</summary>
    public float* Scores;

    /// <summary>Products of image tokens and directions: [R][TileTokens].</summary>
    public float* Products;

    /// <summary>The powers, turned: [TileTokens][H Q].</summary>
    public float* Powers;

    /// <summary>[mask][sy1][sx1][sy2][sx2][TileTokens].</summary>
    public float* Masks;

    /// <summary>See <see cref="DecoderKernels.RunningSoftmax"/>: [H Q].</summary>
    public float* Rescale;

    /// <summary>Of the image tokens' lengths: [TileTokens].</summary>
    public float* Square;

    /// <summary>Of the image tokens and the direction between both layers: [TileTokens].</summary>
    public float* Product;

    /// <summary>Of a refinement.</summary>
    public float* Refined;

    /// <summary>[TileTokens] of 1, and of 0.</summary>
    public float* Ones, Zeros;
}
