using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Putting a tile's sub-pixels in picture order.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Writes one mask of a tile into its picture.</summary>
    /// <param name="subpixels">
    /// [sy1][sx1][sy2][sx2][TileTokens]: the 16 pixels of every image token, as the two upscaling steps leave them.
    /// </param>
    /// <param name="firstToken">Index of the tile's first image token, row-major over the grid.</param>
    /// <param name="tokens">Image tokens in the tile.</param>
    /// <param name="grid">Image tokens a row.</param>
    /// <param name="picture">4 grid x 4 grid, row-major.</param>
    /// <remarks>
    /// The token at (cx, cy) of the grid gives pixel (4 cx + 2 sx1 + sx2, 4 cy + 2 sy1 + sy2). Four of the sixteen lie beside
    /// each other in a row of the picture, and so do the tokens of one row of the grid.
    /// </remarks>
    public static void InterleaveSubpixels(float* subpixels, int firstToken, int tokens, int grid, float* picture)
    {
        for (int lane = 0; lane < tokens;)
        {
            int cy = (firstToken + lane) / grid, cx = (firstToken + lane) % grid;
            int run = Math.Min(grid - cx, tokens - lane);
            for (int sy1 = 0; sy1 < 2; sy1++)
            {
                for (int sy2 = 0; sy2 < 2; sy2++)
                {
                    float* left = subpixels + (((sy1 * 8) + (sy2 * 2)) * TileTokens) + lane;
                    float* row = picture + (((4 * cy) + (2 * sy1) + sy2) * 4 * (nint)grid) + (4 * cx);
                    for (int i = 0; i < run; i++, left++)
                    {
                        Vector128.Create(left[0], left[TileTokens], left[4 * TileTokens], left[5 * TileTokens])
                            .Store(row + (4 * i));
                    }
                }
            }

            lane += run;
        }
    }
}
