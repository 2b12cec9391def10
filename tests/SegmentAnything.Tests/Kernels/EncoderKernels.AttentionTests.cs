using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class EncoderKernelsAttentionTests
{
    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void RunningSoftmax_TilesOfAnySize_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Running());

    [Theory]
    [MemberData(nameof(Widths))]
    public void RelativeScores_AnySide_AreRowPlusColumn(int width) => DecoderKernelRunner.Run(width, new Relatives());

    [Theory]
    [MemberData(nameof(Widths))]
    public void LargestOfFour_AnyColumns_IsTheLargest(int width) => DecoderKernelRunner.Run(width, new Largest());

    private sealed class Running : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            // Scores that climb, so that references are raised; scores that fall, so that they are not; tiles that are not full.
            foreach ((int keys, int tiles, double climb) in new[] { (5, 1, 0.0), (16, 3, 0.5), (17, 4, 30.0), (33, 3, 90.0), (40, 3, -70.0) })
            {
                const int Rows = 5;
                int columns = (keys + TSimd.Width - 1) / TSimd.Width * TSimd.Width, stride = columns + 3;
                Random random = new(keys);
                using DecoderKernelRunner.Memory reference = new(Rows), sum = new(Rows), rescale = new(Rows);
                double[,] scores = new double[Rows, keys * tiles], powers = new double[Rows, keys * tiles];
                for (int tile = 0; tile < tiles; tile++)
                {
                    float[] values = new float[(Rows * stride) - 3];
                    Array.Fill(values, EncoderKernels.NoScore);
                    for (int row = 0; row < Rows; row++)
                    {
                        for (int key = 0; key < keys; key++)
                            scores[row, (tile * keys) + key] = values[(row * stride) + key] = (float)((20 * random.NextDouble()) + (row % 2 == 0 ? climb * tile : 0));
                    }

                    using DecoderKernelRunner.Memory memory = new(values);
                    bool raised = EncoderKernels.RunningSoftmax<TSimd, TVector>(
                        memory.Pointer, stride, Rows, columns, tile == 0, reference.Pointer, sum.Pointer, rescale.Pointer);
                    if (tile == 0) Assert.False(raised);
                    for (int row = 0; row < Rows; row++)
                    {
                        for (int earlier = 0; raised && earlier < tile * keys; earlier++) powers[row, earlier] *= rescale[row];
                        for (int key = 0; key < keys; key++) powers[row, (tile * keys) + key] = memory[(row * stride) + key];
                        for (int key = keys; key < columns; key++) Assert.InRange(memory[(row * stride) + key], 0, 1e-30f);
                    }

                    memory.Check();
                    reference.Check();
                    sum.Check();
                    rescale.Check();
                }

                for (int row = 0; row < Rows; row++)
                {
                    double[] all = [.. Enumerable.Range(0, keys * tiles).Select(key => scores[row, key])];
                    double largest = all.Max(), total = all.Sum(score => Math.Pow(2, score - largest));
                    for (int key = 0; key < all.Length; key++)
                        Assert.Equal(Math.Pow(2, all[key] - largest) / total, powers[row, key] / sum[row], 2e-6);
                }
            }
        }
    }

    private sealed class Relatives : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach ((int side, int firstRow, int rows) in new[] { (1, 0, 1), (3, 0, 3), (5, 2, 2), (14, 0, 14), (16, 3, 4), (17, 16, 1), (20, 5, 7) })
            {
                int entries = (2 * side) - 1, room = EncoderKernels.Padded(entries), stride = (2 * room) + EncoderKernels.Lanes;
                int keys = rows * side, columns = (keys + TSimd.Width - 1) / TSimd.Width * TSimd.Width, scoreStride = columns + EncoderKernels.Lanes;
                int[] tokens = [0, side - 1, side * side / 2, (side * side) - 1];
                Random random = new(side);
                float[] values = [.. Enumerable.Range(0, tokens.Length * stride).Select(_ => random.NextSingle())];
                using DecoderKernelRunner.Memory products = new(values), scores = new(tokens.Length * scoreStride);
                fixed (int* indices = tokens)
                {
                    EncoderKernels.RelativeScores<TSimd, TVector>(new RelativeScoreTile
                    {
                        Products = products.Pointer,
                        ProductStride = stride,
                        Columns = room,
                        Tokens = indices,
                        Queries = tokens.Length,
                        Side = side,
                        FirstRow = firstRow,
                        Rows = rows,
                        Scores = scores.Pointer,
                        ScoreStride = scoreStride,
                    });
                }

                scores.Check();
                for (int query = 0; query < tokens.Length; query++)
                {
                    (int y, int x) = Math.DivRem(tokens[query], side);
                    for (int key = 0; key < columns; key++)
                    {
                        (int keyY, int keyX) = (firstRow + (key / side), key % side);
                        float expected = key >= keys
                            ? EncoderKernels.NoScore
                            : values[(query * stride) + keyY - y + side - 1] + values[(query * stride) + room + keyX - x + side - 1];
                        Assert.Equal(expected, scores[(query * scoreStride) + key]);
                    }
                }
            }
        }
    }

    private sealed class Largest : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            const int Results = 3;
            float** rows = stackalloc float*[4 * Results];
            foreach (int columns in new[] { 16, 48 })
            {
                Random random = new(columns);
                float[] values = [.. Enumerable.Range(0, 4 * Results * (columns + 5)).Select(_ => random.NextSingle() - 0.5f)];
                using DecoderKernelRunner.Memory memory = new(values);
                for (int row = 0; row < 4 * Results; row++) rows[row] = memory.Pointer + (row * (columns + 5));
                EncoderKernels.LargestOfFour<TSimd, TVector>(rows, 2, Results, columns);
                memory.Check();
                for (int i = 0; i < values.Length; i++)
                {
                    (int row, int column) = Math.DivRem(i, columns + 5);
                    float expected = row % 4 != 0 || column < 2 || column >= columns + 2
                        ? values[i]
                        : Enumerable.Range(0, 4).Max(other => values[i + (other * (columns + 5))]);
                    Assert.Equal(expected, memory[i]);
                }
            }
        }
    }
}
