using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public class ImageKernelsShrinkRowTests
{
    [Theory]
    [InlineData(23, 9)]
    [InlineData(9, 23)]
    [InlineData(100, 99)]
    public void ShrinkRow_EveryPath_MatchesScalar(int length, int newLength)
    {
        var table = new ResampleTable(length, newLength);
        byte[] row = new byte[((length + table.Taps) * 4) + 64];
        new Random(11).NextBytes(row.AsSpan(0, length * 4));
        for (int i = 3; i < length * 4; i += 4) row[i] = 0; // the fourth byte is nobody's
        byte[] expected = new byte[newLength * 4], found = new byte[newLength * 4];
        ImageKernels.ShrinkRowScalar(row, table, expected);
        ImageKernels.ShrinkRowVector128(row, table, found);
        Assert.Equal(expected, found);
    }
}
