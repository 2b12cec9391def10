namespace SegmentAnything.Kernels;

/// <content>Pixels as rows of a product.</content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>Gathers what a convolution sees of channel planes, a row for each of its results that lie beside each other.</summary>
    /// <param name="planes">planes x side x side.</param>
    /// <param name="count">Planes.</param>
    /// <param name="side">Side of the picture.</param>
    /// <param name="kernel">Side of the kernel.</param>
    /// <param name="top">The row of the picture that the kernel's first row meets; beyond the picture are zeros.</param>
    /// <param name="left">The column that its first column meets, for the first result.</param>
    /// <param name="stride">Columns from one result to the next.</param>
    /// <param name="results">How many.</param>
    /// <param name="rows">Receives results x (plane, row of the kernel, column of the kernel).</param>
    /// <param name="rowStride">Floats from one of these rows to the next.</param>
    public static void GatherPatches(
        float* planes, int count, int side, int kernel, int top, int left, int stride, int results, float* rows, nint rowStride)
    {
        for (int plane = 0; plane < count; plane++, planes += (nint)side * side)
        {
            for (int y = 0; y < kernel; y++, rows += kernel)
            {
                bool inside = (uint)(top + y) < (uint)side;
                float* source = planes + ((nint)(top + y) * side), row = rows;
                int x = left;
                for (int result = 0; result < results; result++, row += rowStride, x += stride)
                {
                    if (inside && x >= 0 && x + kernel <= side)
                    {
                        for (int i = 0; i < kernel; i++) row[i] = source[x + i];
                    }
                    else
                    {
                        for (int i = 0; i < kernel; i++) row[i] = inside && (uint)(x + i) < (uint)side ? source[x + i] : 0;
                    }
                }
            }
        }
    }
}
