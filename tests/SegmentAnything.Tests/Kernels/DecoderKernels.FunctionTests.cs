using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class DecoderKernelsFunctionTests
{
    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exp2_WholeRange_IsWithin3e7OfTheExactPower(int width) => DecoderKernelRunner.Run(width, new Powers());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Gelu_WholeRange_IsWithin2e6OfTheExactForm(int width) => DecoderKernelRunner.Run(width, new Gelus());

    private static float[] Line(double from, double to, int count) =>
        [.. Enumerable.Range(0, count).Select(i => (float)(from + ((to - from) * i / (count - 1))))];

    private sealed class Powers : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            using DecoderKernelRunner.Memory x = new([.. Line(-125, 126.9, 16000), .. Line(-2, 2, 16000)]), y = new(32000);
            for (int i = 0; i < 32000; i += TSimd.Width)
                TSimd.Store(DecoderKernels.Exp2<TSimd, TVector>(TSimd.Load(x.Pointer + i)), y.Pointer + i);
            for (int i = 0; i < 32000; i++) Assert.Equal(1, y[i] / Math.Pow(2, x[i]), 3e-7);

            // Far below, and at minus infinity: as good as nothing, but a number.
            float* low = stackalloc float[16];
            new Span<float>(low, 16).Fill(float.NegativeInfinity);
            low[1] = float.MinValue;
            TSimd.Store(DecoderKernels.Exp2<TSimd, TVector>(TSimd.Load(low)), low);
            Assert.InRange(low[0], 0, 1e-37f);
            Assert.InRange(low[1], 0, 1e-37f);
        }
    }

    private sealed class Gelus : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            float[] values = [.. Line(-6, 6, 32000), .. Line(-40, 40, 1600), .. Enumerable.Repeat(0f, 16), .. Enumerable.Repeat(-0f, 16)];
            using DecoderKernelRunner.Memory x = new(values), chosen = new(values.Length), table = new(values.Length), polynomial = new(values.Length);
            using DecoderKernelRunner.Memory pieces = new(DecoderKernels.GeluTable.ToArray());
            for (int i = 0; i < values.Length; i += TSimd.Width)
            {
                TSimd.Store(DecoderKernels.Gelu<TSimd, TVector>(TSimd.Load(x.Pointer + i), pieces.Pointer), chosen.Pointer + i);
                TSimd.Store(DecoderKernels.GeluByTable<TSimd, TVector>(TSimd.Load(x.Pointer + i), pieces.Pointer), table.Pointer + i);
                TSimd.Store(DecoderKernels.GeluByPolynomial<TSimd, TVector>(TSimd.Load(x.Pointer + i)), polynomial.Pointer + i);
            }

            for (int i = 0; i < values.Length; i++)
            {
                // Beyond the fitted range the error grows with x: 2e-7 of it.
                double expected = ReferenceMaskDecoder.Gelu(values[i]), allowed = 2e-6 + (3e-7 * Math.Max(Math.Abs(values[i]) - 5, 0));
                Assert.Equal(expected, chosen[i], allowed);
                Assert.Equal(expected, table[i], allowed);
                Assert.Equal(expected, polynomial[i], allowed);
            }
        }
    }
}
