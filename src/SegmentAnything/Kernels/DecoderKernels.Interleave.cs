using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

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
                    Interleave4(left, left + TileTokens, left + (4 * TileTokens), left + (5 * TileTokens), run, row);
                }
            }

            lane += run;
        }
    }

    // destination = a0 b0 c0 d0 a1 b1 c1 d1 ...
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Interleave4(float* a, float* b, float* c, float* d, int count, float* destination)
    {
        int i = 0;
        for (; i + 4 <= count; i += 4, destination += 16)
        {
            // Low pairs a0 b0 a1 b1, high pairs a2 b2 a3 b3; their halves then stand beside those of c and d.
            Vector128<float> va = Vector128.Load(a + i), vb = Vector128.Load(b + i), vc = Vector128.Load(c + i), vd = Vector128.Load(d + i);
            Vector128<float> abLow = ZipLow(va, vb), abHigh = ZipHigh(va, vb), cdLow = ZipLow(vc, vd), cdHigh = ZipHigh(vc, vd);
            ZipLow(abLow.AsDouble(), cdLow.AsDouble()).AsSingle().Store(destination);
            ZipHigh(abLow.AsDouble(), cdLow.AsDouble()).AsSingle().Store(destination + 4);
            ZipLow(abHigh.AsDouble(), cdHigh.AsDouble()).AsSingle().Store(destination + 8);
            ZipHigh(abHigh.AsDouble(), cdHigh.AsDouble()).AsSingle().Store(destination + 12);
        }

        for (; i < count; i++, destination += 4) Vector128.Create(a[i], b[i], c[i], d[i]).Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipLow(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.UnpackLow(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(left, right)
        : Vector128.Create(left[0], right[0], left[1], right[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipHigh(Vector128<float> left, Vector128<float> right) =>
        Sse.IsSupported ? Sse.UnpackHigh(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(left, right)
        : Vector128.Create(left[2], right[2], left[3], right[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> ZipLow(Vector128<double> left, Vector128<double> right) =>
        Sse2.IsSupported ? Sse2.UnpackLow(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(left, right)
        : Vector128.Create(left[0], right[0]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> ZipHigh(Vector128<double> left, Vector128<double> right) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(left, right)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(left, right)
        : Vector128.Create(left[1], right[1]);
}
