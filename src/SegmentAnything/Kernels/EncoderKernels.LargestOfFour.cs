namespace SegmentAnything.Kernels;

/// <content>Pooling: the largest of each two by two tokens.</content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>Replaces the first of each four rows by the largest of them, channel by channel.</summary>
    /// <param name="rows">[result][4]: where they lie.</param>
    /// <param name="offset">Is added to each of these addresses.</param>
    /// <param name="count">Results.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    public static void LargestOfFour<TSimd, TVector>(float** rows, nint offset, int count, int columns)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int result = 0; result < count; result++, rows += 4)
        {
            float* a = rows[0] + offset, b = rows[1] + offset, c = rows[2] + offset, d = rows[3] + offset;
            for (int i = 0; i < columns; i += TSimd.Width)
                TSimd.Store(TSimd.Max(TSimd.Max(TSimd.Load(a + i), TSimd.Load(b + i)), TSimd.Max(TSimd.Load(c + i), TSimd.Load(d + i))), a + i);
        }
    }
}
