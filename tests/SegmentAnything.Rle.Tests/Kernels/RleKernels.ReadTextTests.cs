using System.Runtime.Intrinsics.X86;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsReadTextTests
{
    private delegate int Reader(ReadOnlySpan<byte> text, Span<int> counts);

    [Fact]
    public void ReadText_EveryNumberOfRuns_MatchesScalar()
    {
        List<Reader> paths = [RleKernels.ReadText, RleKernels.ReadTextScalar, RleKernels.ReadTextVector128];
        foreach (int length in Lengths.Where(length => length > 0))
        {
            foreach (int largest in new[] { 2, 16, 17, 40, 600, 40_000, int.MaxValue })
            {
                int[] counts = Runs(length, largest, length);
                var buffer = new byte[length * RleKernels.MaxGroups];
                byte[] text = buffer[..RleKernels.WriteTextScalar(counts, buffer)];
                using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(text);
                Assert.Equal(length, RleKernels.CountNumbers(guarded.Span));
                using var read = new BoundedMemory<int>(length);
                foreach (Reader path in Avx512Vbmi2.IsSupported ? [.. paths, RleKernels.ReadTextVector512] : paths)
                {
                    read.Span.Clear();
                    Assert.True(length == path(guarded.Span, read.Span), $"{$"{path.Method}"}, {length} runs below {largest}");
                    Assert.True(counts.AsSpan().SequenceEqual(read.Span), $"{$"{path.Method}"}, {length} runs below {largest}");
                }
            }
        }
    }

    [Fact]
    public void ReadText_OfMalformedText_IsRefusedByEveryPath()
    {
        List<Reader> paths = [RleKernels.ReadTextVector128];
        if (Avx512Vbmi2.IsSupported) paths.Add(RleKernels.ReadTextVector512);
        int refused = 0;
        for (int seed = 0; seed < 4000; seed++)
        {
            var random = new Random(seed);
            int[] counts = Runs(random.Next(3, 200), random.Next(3) == 0 ? int.MaxValue : 600, seed);
            var buffer = new byte[counts.Length * RleKernels.MaxGroups];
            byte[] text = buffer[..RleKernels.WriteTextScalar(counts, buffer)];
            // A character that is none, or that makes another number of it; or a text that is cut off.
            text[random.Next(text.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0) text = text[..random.Next(1, text.Length + 1)];
            int[]? expected;
            try
            {
                var scalar = new int[RleKernels.CountNumbers(text)];
                expected = scalar[..RleKernels.ReadTextScalar(text, scalar)];
            }
            catch (RleFormatException)
            {
                expected = null;
                refused++;
            }

            using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(text);
            foreach (Reader path in paths)
            {
                var read = new int[RleKernels.CountNumbers(text)];
                int runs = path(guarded.Span, read);
                Assert.True(runs == (expected?.Length ?? -1), $"{$"{path.Method}"}, seed {seed}");
                if (expected is not null) Assert.True(expected.AsSpan().SequenceEqual(read.AsSpan(0, runs)), $"{$"{path.Method}"}, seed {seed}");
            }
        }

        Assert.InRange(refused, 1000, 3500);
    }
}
