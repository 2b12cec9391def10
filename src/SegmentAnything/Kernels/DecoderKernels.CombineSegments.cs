using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Joining the running softmax of several parts of an image.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Joins what <see cref="RunningSoftmaxColumns"/> left of every segment, and divides by the sum of all powers.</summary>
    /// <param name="segments">Segments, at least one.</param>
    /// <param name="rows">Rows of what was accumulated.</param>
    /// <param name="columns">Sequences; a multiple of the vector's width.</param>
    /// <param name="reference">[segment][column]; receives each segment's share: 2^(reference - largest) / sum of all.</param>
    /// <param name="sum">[segment][column].</param>
    /// <param name="accumulated">[segment][row][column].</param>
    /// <param name="destination">Receives [row][column].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CombineSegmentColumns<TSimd, TVector>(
        int segments, int rows, int columns, float* reference, float* sum, float* accumulated, float* destination)
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

        nint segmentStride = rows * (nint)columns;
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column += TSimd.Width)
            {
                float* source = accumulated + (row * (nint)columns) + column;
                TVector value = TSimd.Create(0);
                for (int s = 0; s < segments; s++, source += segmentStride)
                    value = TSimd.MultiplyAdd(TSimd.Load(source), TSimd.Load(reference + (s * columns) + column), value);
                TSimd.Store(value, destination + (row * (nint)columns) + column);
            }
        }
    }

    /// <summary>The same for what <see cref="RunningSoftmaxRows"/> left: sequences are rows.</summary>
    /// <param name="segments">Segments, at least one.</param>
    /// <param name="rows">Sequences.</param>
    /// <param name="columns">Columns of what was accumulated; a multiple of the vector's width.</param>
    /// <param name="reference">[segment][row].</param>
    /// <param name="sum">[segment][row].</param>
    /// <param name="accumulated">[segment][row][column].</param>
    /// <param name="destination">Receives [row][column].</param>
    public static void CombineSegmentRows<TSimd, TVector>(
        int segments, int rows, int columns, float* reference, float* sum, float* accumulated, float* destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int row = 0; row < rows; row++)
        {
            float max = reference[row];
            for (int s = 1; s < segments; s++) max = Math.Max(max, reference[(s * rows) + row]);
            float total = 0;
            for (int s = 0; s < segments; s++) total += float.Exp2(reference[(s * rows) + row] - max) * sum[(s * rows) + row];
            float* target = destination + (row * (nint)columns);
            new Span<float>(target, columns).Clear();
            for (int s = 0; s < segments; s++)
            {
                TVector share = TSimd.Create(float.Exp2(reference[(s * rows) + row] - max) / total);
                float* source = accumulated + (((s * rows) + row) * (nint)columns);
                for (int column = 0; column < columns; column += TSimd.Width)
                    TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(source + column), share, TSimd.Load(target + column)), target + column);
            }
        }
    }
}
