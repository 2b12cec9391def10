using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

/// <summary>Every path of every mask kernel against its scalar definition, bit for bit.</summary>
public class MaskKernelsTests
{
    private const int Seed = 20240703;

    // Source, target, wanted: enlarging by little and much, shrinking by little, by two, by much, not at all; one position.
    public static TheoryData<int, int, int> Axes => new()
    {
        { 256, 1024, 683 }, { 683, 1200, 1200 }, { 1024, 1800, 1800 }, { 1023, 769, 769 }, { 684, 534, 534 },
        { 1024, 513, 513 }, { 1024, 300, 300 }, { 1024, 3, 3 }, { 64, 64, 64 }, { 1, 77, 77 }, { 5, 4096, 4096 }, { 9, 1, 1 },
    };

    [Fact]
    public void Blend_EveryLengthAndPath_MatchesScalar()
    {
        float[] a = Values(257), b = Values(257);
        a[3] = float.NaN;
        b[17] = float.PositiveInfinity;
        a[40] = -0f;
        for (int length = 0; length <= 257; length++)
        {
            float[] expected = new float[length];
            MaskKernels.BlendScalar(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, expected);
            float[] found = new float[length];
            MaskKernels.Blend(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found);
            EqualBits(expected, found);
            int done = MaskKernels.BlendVector128(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found = new float[length]);
            EqualBits(expected.AsSpan(0, done), found.AsSpan(0, done));
            Assert.Equal(length - (length % 4), done);
            done = MaskKernels.BlendVector256(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found = new float[length]);
            EqualBits(expected.AsSpan(0, done), found.AsSpan(0, done));
            Assert.Equal(length - (length % 8), done);
            done = MaskKernels.BlendVector512(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found = new float[length]);
            EqualBits(expected.AsSpan(0, done), found.AsSpan(0, done));
            Assert.Equal(length - (length % 16), done);
        }
    }

    [Theory]
    [MemberData(nameof(Axes))]
    public void Interpolate_EveryPath_MatchesScalar(int sourceLength, int targetLength, int length)
    {
        var axis = new InterpolationAxis(sourceLength, targetLength, length);
        float[] source = Values(sourceLength + MaskKernels.ReadAhead);
        int padded = axis.First.Length;
        float[] expected = new float[padded], found = new float[padded];
        MaskKernels.InterpolateScalar(source, axis, 0, padded, expected);
        MaskKernels.Interpolate(source, axis, 0, padded, found);
        EqualBits(expected, found);

        // A part alone, and nothing around it.
        found = new float[padded];
        MaskKernels.Interpolate(source, axis, 16, 32, found);
        EqualBits(expected.AsSpan(16, 32), found.AsSpan(16, 32));
        Assert.All(found[..16], v => Assert.Equal(0, v));
        Assert.All(found[48..], v => Assert.Equal(0, v));
    }

    [Theory]
    [MemberData(nameof(Axes))]
    public void Cut_EveryPath_MatchesScalar(int sourceLength, int targetLength, int length)
    {
        var axis = new InterpolationAxis(sourceLength, targetLength, length);
        float[] source = Values(sourceLength + MaskKernels.ReadAhead);
        if (source.Length > 100) source[50] = float.NaN;
        int words = axis.First.Length / 64;
        Cutoffs cutoffs = Cutoffs.Around(0.5f, 2);
        ulong[] expected = Run(MaskKernels.CutScalar, 0, words);
        Assert.Equal(expected, Run(MaskKernels.Cut, 0, words));
        Assert.Equal(expected, Run(MaskKernels.CutVector128, 0, words));
        if (Avx2.IsSupported) Assert.Equal(expected, Run(MaskKernels.CutVector256, 0, words));
        if (Avx512F.IsSupported && axis.Reach16 <= MaskKernels.ReadAhead) Assert.Equal(expected, Run(MaskKernels.CutVector512, 0, words));
        if (words > 1) Assert.Equal(expected[1], Run(MaskKernels.Cut, 1, 1)[0]);

        ulong[] Run(CutPath path, int firstWord, int count)
        {
            ulong[] result = new ulong[3 * count];
            path(source, axis, firstWord, cutoffs, result.AsSpan(count, count), result.AsSpan(0, count), result.AsSpan(2 * count, count));
            return result;
        }
    }

    [Fact]
    public void Classify_EveryLength_MatchesScalar()
    {
        float[] values = Values(257);
        values[9] = float.NaN;
        values[70] = float.NegativeInfinity;
        for (int length = 0; length <= 257; length++)
        {
            int words = (length + 63) / 64;
            ulong[] below = new ulong[words], above = new ulong[words], foundBelow = new ulong[5], foundAbove = new ulong[5];
            MaskKernels.ClassifyScalar(values.AsSpan(0, length), 0, -2, 1, below, above);
            MaskKernels.Classify(values.AsSpan(0, length), -2, 1, foundBelow, foundAbove);
            Assert.Equal(below, foundBelow[..words]);
            Assert.Equal(above, foundAbove[..words]);
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(7, 19)]
    [InlineData(8, 8)]
    [InlineData(171, 256)]
    [InlineData(33, 40)]
    public void Transpose_EverySize_MatchesScalar(int rows, int columns)
    {
        int sourceStride = columns + 3, destinationStride = rows + 5;
        float[] source = Values((rows * sourceStride) + 1);
        float[] expected = new float[columns * destinationStride], found = new float[columns * destinationStride];
        MaskKernels.TransposeScalar(source, sourceStride, 0, rows, 0, columns, expected, destinationStride);
        MaskKernels.Transpose(source, sourceStride, rows, columns, found, destinationStride);
        EqualBits(expected, found);
    }

    [Fact]
    public void AllSet_EveryRange_LooksAtThatRangeOnly()
    {
        for (int first = 0; first < 200; first += 3)
        {
            for (int last = first; last < 200; last += 5)
            {
                ulong[] bits = new ulong[4];
                for (int i = first; i <= last; i++) bits[i / 64] |= 1UL << (i % 64);
                Assert.True(MaskKernels.AllSet(bits, first, last));
                foreach (int hole in new[] { first, (first + last) / 2, last })
                {
                    bits[hole / 64] ^= 1UL << (hole % 64);
                    Assert.False(MaskKernels.AllSet(bits, first, last));
                    bits[hole / 64] ^= 1UL << (hole % 64);
                }
            }
        }
    }

    private delegate void CutPath(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs, Span<ulong> lower, Span<ulong> middle, Span<ulong> upper);

    private static float[] Values(int count)
    {
        Random random = new(Seed + count);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 12) - 6)];
    }

    private static void EqualBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> found) =>
        Assert.True(MemoryMarshal.Cast<float, int>(expected).SequenceEqual(MemoryMarshal.Cast<float, int>(found)), $"seed {Seed}");
}
