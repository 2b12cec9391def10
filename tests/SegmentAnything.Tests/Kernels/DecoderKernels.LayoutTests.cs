using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class DecoderKernelsLayoutTests
{
    private const int Tile = DecoderKernels.TileTokens;

    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void GeluMaskProduct_AnyMaskCount_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Masks());

    [Fact]
    public void PackPanels_AnySize_PutsRowsBesideEachOtherAndZeroWhereNoneIs()
    {
        foreach (int rows in new[] { 1, 2, 3, 4, 5, 7, 8, 9, 16, 21 })
        {
            foreach (int steps in new[] { 1, 2, 3, 4, 5, 8, 17 })
            {
                int stride = steps + 2, padded = (rows + 7) / 8 * 8;
                float[] values = RandomDecoder.Values(new Random(rows), rows * stride);
                using DecoderKernelRunner.Memory source = new(values), panels = new(padded * steps);
                DecoderKernels.PackPanels(source.Pointer, stride, rows, steps, panels.Pointer);
                for (int row = 0; row < padded; row++)
                {
                    for (int k = 0; k < steps; k++)
                        Assert.Equal(row < rows ? values[(row * stride) + k] : 0, panels[(row / 8 * 8 * steps) + (k * 8) + (row % 8)]);
                }

                panels.Check();

                // The transpose packs to the same.
                float[] transposed = new float[steps * padded];
                for (int i = 0; i < transposed.Length; i++) transposed[i] = i % padded < rows ? values[(i % padded * stride) + (i / padded)] : 0;
                using DecoderKernelRunner.Memory other = new(transposed), again = new(padded * steps);
                DecoderKernels.PackPanelsTransposed(other.Pointer, padded, padded, steps, again.Pointer);
                Assert.True(panels.Span.SequenceEqual(again.Span));
                again.Check();
            }
        }
    }

    [Fact]
    public void Transpose_AnySize_SwapsRowsAndColumns()
    {
        foreach ((int rows, int columns, int stride) in new[] { (1, 1, 4), (3, 5, 4), (4, 4, 4), (7, 9, 8), (40, 33, 48), (56, 32, 64), (5, 6, 16) })
        {
            float[] values = RandomDecoder.Values(new Random(rows), rows * columns);
            using DecoderKernelRunner.Memory source = new(values), result = new(columns * stride);
            DecoderKernels.Transpose(source.Pointer, columns, rows, columns, result.Pointer, stride);
            for (int c = 0; c < columns; c++)
            {
                for (int r = 0; r < stride; r++) Assert.Equal(r < rows ? values[(r * columns) + c] : 0, result[(c * stride) + r]);
            }

            result.Check();
        }
    }

    [Fact]
    public void InterleaveSubpixels_TilesOfAnyGrid_FillThePicture()
    {
        foreach (int grid in new[] { 1, 3, 5, 7, 13, 16, 64 })
        {
            int positions = grid * grid;
            using DecoderKernelRunner.Memory picture = new(16 * positions);
            for (int first = 0; first < positions; first += Tile)
            {
                // Each value tells its token and its place among the token's sixteen.
                using DecoderKernelRunner.Memory subpixels = new([.. Enumerable.Range(0, 16 * Tile).Select(i => (float)(((first + (i % Tile)) * 16) + (i / Tile)))]);
                DecoderKernels.InterleaveSubpixels(subpixels.Pointer, first, Math.Min(Tile, positions - first), grid, picture.Pointer);
            }

            for (int y = 0; y < 4 * grid; y++)
            {
                for (int x = 0; x < 4 * grid; x++)
                {
                    int token = (y / 4 * grid) + (x / 4);
                    int place = (y % 4 / 2 * 8) + (x % 4 / 2 * 4) + (y % 2 * 2) + (x % 2);
                    Assert.Equal((token * 16) + place, picture[(y * 4 * grid) + x]);
                }
            }

            picture.Check();
        }
    }

    private sealed class Masks : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach (int channels in new[] { 1, 4, 32 })
            {
                for (int masks = 1; masks <= 4; masks++)
                {
                    const int Subpixels = 4, Stride = (Subpixels * Tile) + 16;
                    var random = new Random(masks);
                    float[] values = RandomDecoder.Values(random, Subpixels * channels * Tile, 2), weights = RandomDecoder.Values(random, channels * 4);
                    using DecoderKernelRunner.Memory x = new(values), hyper = new(weights), result = new(masks * Stride), pieces = new(DecoderKernels.GeluTable.ToArray());
                    DecoderKernels.GeluMaskProduct<TSimd, TVector>(x.Pointer, Subpixels, channels, hyper.Pointer, masks, pieces.Pointer, result.Pointer, Stride);
                    for (int mask = 0; mask < masks; mask++)
                    {
                        for (int i = 0; i < Subpixels * Tile; i++)
                        {
                            double expected = Enumerable.Range(0, channels).Sum(c =>
                                weights[(c * 4) + mask] * ReferenceMaskDecoder.Gelu(values[(((i / Tile * channels) + c) * Tile) + (i % Tile)]));
                            Assert.Equal(expected, result[(mask * Stride) + i], 1e-4);
                        }
                    }

                    result.Check();
                }
            }
        }
    }
}
