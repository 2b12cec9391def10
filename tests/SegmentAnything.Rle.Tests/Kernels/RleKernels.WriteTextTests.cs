using System.Runtime.Intrinsics.X86;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsWriteTextTests
{
    private delegate int Writer(ReadOnlySpan<int> counts, Span<byte> text);

    [Fact]
    public void WriteText_EveryNumberOfRuns_MatchesScalar()
    {
        List<Writer> paths = [RleKernels.WriteText, RleKernels.WriteTextSpread, RleKernels.WriteTextVector256];
        foreach (int length in Lengths.Where(length => length >= 3))
        {
            foreach (int largest in new[] { 2, 16, 17, 40, 600, 40_000, int.MaxValue })
            {
                int[] counts = Runs(length, largest, length);
                var expected = new byte[length * RleKernels.MaxGroups];
                int written = RleKernels.WriteTextScalar(counts, expected);
                // The widest path is written with instructions that not every processor has.
                foreach (Writer path in Avx512Vbmi2.IsSupported && length >= 18 ? [.. paths, RleKernels.WriteTextVector512] : paths)
                {
                    using BoundedMemory<int> guarded = BoundedMemory.CopyOf<int>(counts);
                    using var text = new BoundedMemory<byte>((length * RleKernels.MaxGroups) + 8);
                    Assert.True(written == path(guarded.Span, text.Span), $"{$"{path.Method}"}, {length} runs below {largest}");
                    Assert.True(
                        expected.AsSpan(0, written).SequenceEqual(text.Span[..written]), $"{$"{path.Method}"}, {length} runs below {largest}");
                }
            }
        }
    }
}
