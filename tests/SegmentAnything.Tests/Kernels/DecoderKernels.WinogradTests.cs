using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class DecoderKernelsWinogradTests
{
    [Theory]
    [MemberData(nameof(DecoderKernelRunner.Widths), MemberType = typeof(DecoderKernelRunner))]
    public void TransformedProducts_OfOneChannel_AreTheConvolution(int width) => DecoderKernelRunner.Run(width, new Convolution());

    [Theory]
    [MemberData(nameof(DecoderKernelRunner.Widths), MemberType = typeof(DecoderKernelRunner))]
    public void SumTaps_AnyPlanes_GathersFromEachNeighbour(int width) => DecoderKernelRunner.Run(width, new Gathering());

    // One row of tokens between two others, each with a token on both sides.
    private const int Row = DecoderKernels.TileTokens + 2, Plane = 3 * Row, Pixels = DecoderKernels.TokenPixels, Products = DecoderKernels.WinogradProducts;

    private static int Index(int y, int x) => (((y & 3) * 4) + (x & 3)) * Plane + (((y + 4) / 4) * Row) + ((x + 4) / 4);

    private sealed class Convolution : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            Random random = new(3);
            float[] kernel = [.. Enumerable.Range(0, 9).Select(_ => random.NextSingle() - 0.5f)];
            using NativeFloats planes = new(Pixels * Plane), products = new(Products * DecoderKernels.TileTokens), result = new(Pixels * DecoderKernels.TileTokens);
            for (int i = 0; i < planes.Length; i++) planes.Pointer[i] = (random.NextSingle() * 4) - 2;
            DecoderKernels.TransformPixels<TSimd, TVector>(planes.Pointer + Row + 1, Plane, Row, products.Pointer, DecoderKernels.TileTokens);
            double[] transformed = new double[Products];
            DecoderKernels.TransformKernel(kernel, transformed);
            for (int i = 0; i < products.Length; i++) products.Pointer[i] *= (float)transformed[i / DecoderKernels.TileTokens];
            DecoderKernels.TransformProducts<TSimd, TVector>(products.Pointer, DecoderKernels.TileTokens, 0.25f, result.Pointer, DecoderKernels.TileTokens);
            for (int y = 0; y < 4; y++)
            {
                for (int x = 0; x < 4 * DecoderKernels.TileTokens; x++)
                {
                    double expected = 0.25;
                    for (int tap = 0; tap < 9; tap++) expected += kernel[tap] * planes.Pointer[Index(y + (tap / 3) - 1, x + (tap % 3) - 1)];
                    Assert.Equal(expected, result.Pointer[(((y * 4) + (x % 4)) * DecoderKernels.TileTokens) + (x / 4)], 1e-4);
                }
            }
        }
    }

    private sealed class Gathering : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            Random random = new(4);
            using NativeFloats taps = new(9 * Pixels * Plane), result = new(Pixels * DecoderKernels.TileTokens);
            for (int i = 0; i < taps.Length; i++) taps.Pointer[i] = random.NextSingle();
            DecoderKernels.SumTaps<TSimd, TVector>(taps.Pointer + Row + 1, Plane, Row, result.Pointer);
            for (int y = 0; y < 4; y++)
            {
                for (int x = 0; x < 4 * DecoderKernels.TileTokens; x++)
                {
                    double expected = 0;
                    for (int tap = 0; tap < 9; tap++)
                    {
                        int index = Index(y + (tap / 3) - 1, x + (tap % 3) - 1);
                        expected += taps.Pointer[(((index / Plane * 9) + tap) * Plane) + (index % Plane)];
                    }

                    int order = (y / 2 * 8) + (x % 4 / 2 * 4) + (y % 2 * 2) + (x % 2);
                    Assert.Equal(expected, result.Pointer[(order * DecoderKernels.TileTokens) + (x / 4)], 1e-5);
                }
            }
        }
    }
}
