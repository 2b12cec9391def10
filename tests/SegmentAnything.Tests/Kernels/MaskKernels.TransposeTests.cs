using SegmentAnything.Kernels;
using static SegmentAnything.Tests.Kernels.MaskKernelData;

namespace SegmentAnything.Tests.Kernels;

public class MaskKernelsTransposeTests
{
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
}
