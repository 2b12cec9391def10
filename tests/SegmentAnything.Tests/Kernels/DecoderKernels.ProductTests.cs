using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class DecoderKernelsProductTests
{
    private const int Tile = DecoderKernels.TileTokens;

    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Product_EveryLayoutStartAndSize_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Sizes());

    private sealed class Sizes : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            // Steps around the four of a turn; columns of one to seven vectors: every way they divide into three, two and one.
            foreach (int steps in new[] { 0, 1, 2, 3, 4, 5, 7, 8, 31, 48 })
            {
                for (int vectors = 1; vectors <= 7; vectors++)
                {
                    Check<TSimd, TVector, PanelLayout>(24, steps, vectors * TSimd.Width);
                    Check<TSimd, TVector, TokensAsRows>(48, steps, vectors * TSimd.Width);
                    Check<TSimd, TVector, ChannelsAsRows>(16, steps, vectors * TSimd.Width);
                }
            }
        }

        private static void Check<TSimd, TVector, TLayout>(int rows, int steps, int columns)
            where TSimd : ISimd<TVector>
            where TVector : struct
            where TLayout : IFactorLayout
        {
            // Blocks lie behind each other in panels, beside each other where tokens are rows, 8 rows on where channels are.
            int block = typeof(TLayout) == typeof(PanelLayout) ? 8 * steps : typeof(TLayout) == typeof(TokensAsRows) ? 8 : 8 * Tile;
            int length = (int)((rows / 8 * block) + (8 * TLayout.RowStride) + (Math.Max(steps, 1) * TLayout.StepStride));
            var random = new Random(rows + steps + columns);
            int bStride = columns + 5, cStride = columns + 3;
            using DecoderKernelRunner.Memory a = new(RandomDecoder.Values(random, length));
            using DecoderKernelRunner.Memory b = new(RandomDecoder.Values(random, Math.Max(steps, 1) * bStride));
            using DecoderKernelRunner.Memory start = new(RandomDecoder.Values(random, rows * cStride));
            using DecoderKernelRunner.Memory c = new(rows * cStride);

            DecoderKernels.Product<TSimd, TVector, TLayout, FromZero>(
                a.Pointer, block, b.Pointer, bStride, steps, null, 0, c.Pointer, cStride, rows, columns);
            Compare((_, _) => 0);
            DecoderKernels.Product<TSimd, TVector, TLayout, FromRowBias>(
                a.Pointer, block, b.Pointer, bStride, steps, start.Pointer, 0, c.Pointer, cStride, rows, columns, b.Pointer, 3);
            Compare((row, _) => start[row]);
            DecoderKernels.Product<TSimd, TVector, TLayout, FromColumnBias>(
                a.Pointer, block, b.Pointer, bStride, steps, start.Pointer, 0, c.Pointer, cStride, rows, columns);
            Compare((_, column) => start[column]);
            DecoderKernels.Product<TSimd, TVector, TLayout, FromMatrix>(
                a.Pointer, block, b.Pointer, bStride, steps, start.Pointer, cStride, c.Pointer, cStride, rows, columns);
            Compare((row, column) => start[(row * cStride) + column]);

            void Compare(Func<int, int, double> from)
            {
                for (int row = 0; row < rows; row++)
                {
                    int at = (row / 8 * block) + (row % 8 * (int)TLayout.RowStride);
                    for (int column = 0; column < columns; column++)
                    {
                        double expected = from(row, column);
                        for (int k = 0; k < steps; k++) expected += (double)a[at + (k * (int)TLayout.StepStride)] * b[(k * bStride) + column];
                        Assert.Equal(expected, c[(row * cStride) + column], 1e-5 * (1 + steps));
                    }

                    // Between the rows nothing is written.
                    for (int column = columns; column < cStride; column++) Assert.True(float.IsNaN(c[(row * cStride) + column]));
                }

                c.Check();
                c.Span.Fill(float.NaN);
            }
        }
    }
}
