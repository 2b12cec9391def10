using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Joining the running softmax of several parts of an image.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Each segment's share of every sequence: 2^(reference - largest) / sum of all powers.</summary>
    /// <param name="segments">Segments, at least one.</param>
    /// <param name="columns">Sequences; a multiple of the vector's width. Those of padding may hold anything.</param>
    /// <param name="reference">[segment][column], as <see cref="RunningSoftmax"/> left it; receives the shares.</param>
    /// <param name="sum">[segment][column].</param>
    public static void SegmentShares<TSimd, TVector>(int segments, int columns, float* reference, float* sum)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int column = 0; column < columns; column += TSimd.Width)
        {
            TVector max = TSimd.Load(reference + column);
            for (int s = 1; s < segments; s++) max = TSimd.Max(max, TSimd.Load(reference + (s * columns) + column));
            TVector total = TSimd.Create(0);
            for (int s = 0; s < segments; s++)
            {
                float* at = reference + (s * columns) + column;
                TVector share = Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(at), max));
                total = TSimd.MultiplyAdd(share, TSimd.Load(sum + (s * columns) + column), total);
                TSimd.Store(share, at);
            }

            TVector scale = TSimd.Divide(TSimd.Create(1), total);
            for (int s = 0; s < segments; s++)
            {
                float* at = reference + (s * columns) + column;
                TSimd.Store(TSimd.Multiply(TSimd.Load(at), scale), at);
            }
        }
    }

    /// <summary>Joins what was accumulated of every segment.</summary>
    /// <param name="segments">Segments, at least one.</param>
    /// <param name="rows">Rows of what was accumulated.</param>
    /// <param name="columns">Sequences; a multiple of the vector's width.</param>
    /// <param name="shares">[segment][column].</param>
    /// <param name="accumulated">[segment][row][column].</param>
    /// <param name="segmentStride">Floats from one segment of it to the next.</param>
    /// <param name="destination">Receives [row][column].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CombineSegments<TSimd, TVector>(
        int segments, int rows, int columns, float* shares, float* accumulated, nint segmentStride, float* destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column += TSimd.Width)
            {
                float* source = accumulated + (row * (nint)columns) + column;
                TVector value = TSimd.Create(0);
                for (int s = 0; s < segments; s++, source += segmentStride)
                    value = TSimd.MultiplyAdd(TSimd.Load(source), TSimd.Load(shares + (s * columns) + column), value);
                TSimd.Store(value, destination + (row * (nint)columns) + column);
            }
        }
    }
}
