using SegmentAnything.Kernels;
using SegmentAnything.Tests.References;

namespace SegmentAnything.Tests.Kernels;

/// <summary>The kernels of the image encoders at odd sizes, at every width, against double precision.</summary>
public unsafe class EncoderKernelsTests
{
    // Sums of some hundred products of values below 1, in float32.
    private const double Tolerance = 2e-5;

    // DecoderKernels.Gelu is within 1.5e-6.
    private const double GeluTolerance = Tolerance + 2e-6;

    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Product_AnyRowsSegmentsAndColumns_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Products());

    [Theory]
    [MemberData(nameof(Widths))]
    public void LayerNorm_AnyChannels_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Norms());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Depthwise_EdgesAndStrides_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Depthwise());

    [Theory]
    [MemberData(nameof(Widths))]
    public void SoftmaxPowers_ScaledAfterwards_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Softmax());

    [Theory]
    [MemberData(nameof(Widths))]
    public void PackRows_ThenProduct_IsTheMatrix(int width) => DecoderKernelRunner.Run(width, new Rows());

    [Theory]
    [InlineData(1, 5)]
    [InlineData(4, 3)]
    [InlineData(11, 17)]
    public void ToPlanes_AnySize_Transposes(int tokens, int channels)
    {
        int stride = EncoderKernels.Padded(channels), planeStride = tokens + 3;
        float[] values = RandomDecoder.Values(new Random(1), tokens * stride);
        using DecoderKernelRunner.Memory source = new(values), planes = new(channels * planeStride);
        EncoderKernels.ToPlanes(source.Pointer, stride, tokens, channels, planes.Pointer, planeStride);
        planes.Check();
        for (int i = 0; i < tokens * channels; i++) Assert.Equal(values[(i / channels * stride) + (i % channels)], planes[(i % channels * planeStride) + (i / channels)]);
    }

    [Theory]
    [InlineData(3, 2, -1)]
    [InlineData(4, 4, 0)]
    [InlineData(7, 4, -3)]
    public void GatherPatches_BeyondThePicture_IsZero(int kernel, int stride, int first)
    {
        const int Side = 13, Planes = 2;
        float[] values = RandomDecoder.Values(new Random(kernel), Planes * Side * Side);
        int results = ((Side - first - 1) / stride) + 1, rowStride = (Planes * kernel * kernel) + 5;
        using DecoderKernelRunner.Memory planes = new(values), rows = new(results * rowStride);
        foreach (int top in new[] { first, 4, Side - 1 })
        {
            EncoderKernels.GatherPatches(planes.Pointer, Planes, Side, kernel, top, first, stride, results, rows.Pointer, rowStride);
            rows.Check();
            for (int i = 0; i < results * Planes * kernel * kernel; i++)
            {
                (int result, int place) = Math.DivRem(i, Planes * kernel * kernel);
                int y = top + (place / kernel % kernel), x = first + (result * stride) + (place % kernel);
                bool inside = (uint)y < Side && (uint)x < Side;
                Assert.Equal(inside ? values[(((place / (kernel * kernel)) * Side) + y) * Side + x] : 0, rows[(result * rowStride) + place]);
            }
        }
    }

    private sealed class Products : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            // One row, all remainders of a block, several blocks; parts of a sum within a segment and of several segments.
            foreach ((int count, int segments, int length, int outputs) in new[] { (1, 1, 1, 1), (7, 1, 27, 20), (8, 9, 8, 48), (13, 9, 40, 64), (19, 1, 700, 100), (3, 2, 600, 33) })
            {
                foreach ((bool biased, bool started, bool gelu) in new[] { (false, false, false), (true, false, true), (true, true, false), (false, true, true) })
                    Check<TSimd, TVector>(count, segments, length, outputs, biased, started, gelu);
            }
        }

        private static void Check<TSimd, TVector>(int count, int segments, int length, int outputs, bool biased, bool started, bool gelu)
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            var random = new Random(count + length);
            int columns = EncoderKernels.Padded(outputs), steps = segments * length;
            float[] rows = RandomDecoder.Values(random, segments * count * length), weight = RandomDecoder.Values(random, columns * steps, 0.2f);
            float[] bias = RandomDecoder.Values(random, columns), start = RandomDecoder.Values(random, count * columns);
            // Rows lie in another order than they are named, and apart.
            int[] order = [.. Enumerable.Range(0, count * segments).OrderBy(_ => random.Next())];
            using DecoderKernelRunner.Memory a = new(rows), w = new(weight), b = new(bias), s = new(start), panels = new(columns * steps), result = new(count * columns), table = new(DecoderKernels.GeluTable.ToArray());
            float** from = stackalloc float*[count * segments], starts = stackalloc float*[count], results = stackalloc float*[count];
            // Offsets are taken off here and given there.
            for (int i = 0; i < count * segments; i++) from[i] = a.Pointer + (order[i] * length) - 2;
            for (int i = 0; i < count; i++)
            {
                starts[i] = s.Pointer + (i * columns) - 3;
                results[i] = result.Pointer + ((count - 1 - i) * columns) - 5;
            }

            EncoderKernels.PackTransposed(w.Pointer, steps, columns, steps, panels.Pointer, TSimd.Width);
            panels.Check();
            EncoderKernels.Product<TSimd, TVector>(new RowProduct
            {
                Rows = from,
                Offset = 2,
                Count = count,
                Segments = segments,
                Length = length,
                Matrix = panels.Pointer,
                Columns = columns,
                Bias = biased ? b.Pointer : null,
                Start = started ? starts : null,
                StartOffset = 3,
                Result = results,
                ResultOffset = 5,
                Gelu = gelu ? table.Pointer : null,
            });
            result.Check();
            for (int row = 0; row < count; row++)
            {
                for (int column = 0; column < columns; column++)
                {
                    double sum = (biased ? bias[column] : 0) + (started ? start[(row * columns) + column] : 0);
                    for (int step = 0; step < steps; step++)
                        sum += (double)rows[(order[(step / length * count) + row] * length) + (step % length)] * weight[(column * steps) + step];
                    Assert.Equal(gelu ? PlainMath.Gelu(sum) : sum, result[((count - 1 - row) * columns) + column], GeluTolerance);
                }
            }
        }
    }

    private sealed class Norms : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            const int Count = 3;
            float** rows = stackalloc float*[Count];
            foreach (int channels in new[] { 1, 12, 16, 33, 128 })
            {
                const float Epsilon = 1e-5f;
                int room = EncoderKernels.Padded(channels);
                var random = new Random(channels);
                // A mean far from zero, which must cancel nothing, and a row of zeros.
                float[] values = [.. RandomDecoder.Values(random, Count * room).Select((v, i) => i < room ? 0 : v + 30)];
                float[] weight = RandomDecoder.Values(random, room), bias = RandomDecoder.Values(random, room);
                using DecoderKernelRunner.Memory x = new(values), w = new(weight), b = new(bias), result = new(Count * room);
                for (int i = 0; i < Count; i++) rows[i] = x.Pointer + (i * room);
                foreach (bool whole in new[] { false, true })
                {
                    EncoderKernels.LayerNorm<TSimd, TVector>(rows, Count, channels, whole ? w.Pointer : null, whole ? b.Pointer : null, Epsilon, result.Pointer, room);
                    result.Check();
                    for (int row = 0; row < Count; row++)
                    {
                        double[] own = [.. values.Skip(row * room).Take(channels).Select(v => (double)v)];
                        double mean = own.Average(), deviation = Math.Sqrt(own.Average(v => (v - mean) * (v - mean)) + Epsilon);
                        for (int c = 0; c < channels; c++)
                        {
                            double normal = (own[c] - mean) / deviation;
                            Assert.Equal(whole ? (normal * weight[c]) + bias[c] : normal, result[(row * room) + c], 1e-4);
                        }
                    }
                }
            }
        }
    }

    private sealed class Depthwise : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach ((int tokens, int stride, bool left, bool right, bool gelu) in new[]
            {
                (1, 1, false, false, true), (2, 1, false, true, false), (9, 1, true, false, false), (12, 1, true, true, true), (7, 2, false, true, true), (6, 2, true, true, false),
            })
            {
                const int Channels = 32;
                var random = new Random(tokens);
                // One token before the first that the middle column meets, and one after the last.
                int wide = (stride * (tokens - 1)) + 3;
                float[] values = RandomDecoder.Values(random, 3 * wide * Channels), weight = RandomDecoder.Values(random, 9 * Channels), bias = RandomDecoder.Values(random, Channels);
                using DecoderKernelRunner.Memory x = new(values), w = new(weight), b = new(bias), zeros = new(new float[Channels]), result = new(tokens * Channels), table = new(DecoderKernels.GeluTable.ToArray());
                float* first = x.Pointer + Channels;
                EncoderKernels.Depthwise<TSimd, TVector>(new DepthwiseRow
                {
                    Above = first,
                    Here = first + (wide * Channels),
                    Below = first + (2 * wide * Channels),
                    Tokens = tokens,
                    Stride = stride,
                    Left = left,
                    Right = right,
                    Channels = Channels,
                    Weights = w.Pointer,
                    Bias = b.Pointer,
                    Zeros = zeros.Pointer,
                    Result = result.Pointer,
                    Gelu = gelu ? table.Pointer : null,
                });
                result.Check();
                for (int i = 0; i < tokens * Channels; i++)
                {
                    (int token, int c) = Math.DivRem(i, Channels);
                    double sum = bias[c];
                    for (int tap = 0; tap < 9; tap++)
                    {
                        int column = tap % 3;
                        if ((column == 0 && token == 0 && !left) || (column == 2 && token == tokens - 1 && !right)) continue;
                        sum += (double)weight[(tap * Channels) + c] * values[((((tap / 3) * wide) + (stride * token) + column) * Channels) + c];
                    }

                    Assert.Equal(gelu ? PlainMath.Gelu(sum) : sum, result[i], GeluTolerance);
                }
            }
        }
    }

    private sealed class Softmax : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            const int Count = 3, Offset = 4;
            float** rows = stackalloc float*[Count];
            foreach (int tokens in new[] { 1, 9, 49, 64 })
            {
                int room = EncoderKernels.Padded(tokens), columns = (tokens + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
                float[] values = [.. RandomDecoder.Values(new Random(tokens), Count * room, 40).Select((v, i) => i % room < tokens ? v : EncoderKernels.NoScore)];
                using DecoderKernelRunner.Memory scores = new(values), factors = new(Count);
                EncoderKernels.SoftmaxPowers<TSimd, TVector>(scores.Pointer, room, Count, columns, factors.Pointer);
                for (int i = 0; i < Count; i++) rows[i] = scores.Pointer + (i * room) - Offset;
                EncoderKernels.ScaleRows<TSimd, TVector>(rows, Offset, Count, columns, factors.Pointer);
                scores.Check();
                factors.Check();
                for (int row = 0; row < Count; row++)
                {
                    double[] powers = [.. Enumerable.Range(0, tokens).Select(t => Math.Pow(2, values[(row * room) + t]))];
                    for (int t = 0; t < tokens; t++) Assert.Equal(powers[t] / powers.Sum(), scores[(row * room) + t], 2e-6);
                }
            }
        }
    }

    private sealed class Rows : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach (int vectors in new[] { 1, 2, 3, 4, 5, 7 })
            {
                const int Steps = 5;
                int columns = vectors * TSimd.Width, stride = columns + 3;
                float[] values = RandomDecoder.Values(new Random(vectors), Steps * stride);
                using DecoderKernelRunner.Memory source = new(values), panels = new(Steps * columns), one = new(new float[Steps]), result = new(columns);
                EncoderKernels.PackRows<TSimd, TVector>(source.Pointer, stride, columns, Steps, panels.Pointer);
                panels.Check();
                float* row = one.Pointer, target = result.Pointer;
                for (int step = 0; step < Steps; step++)
                {
                    one.Span.Clear();
                    one.Span[step] = 1;
                    EncoderKernels.Product<TSimd, TVector>(new RowProduct { Rows = &row, Count = 1, Segments = 1, Length = Steps, Matrix = panels.Pointer, Columns = columns, Result = &target });
                    result.Check();
                    Assert.Equal(values.AsSpan(step * stride, columns).ToArray(), result.Span.ToArray());
                }
            }
        }
    }
}
