using SegmentAnything.Kernels;

namespace SegmentAnything.Graphs;

/// <summary>Rearranges weights while models are loaded. Plain loops, but for what is done with every matrix.</summary>
internal static unsafe class Matrices
{
    /// <summary>Turns rows x columns into columns x rows.</summary>
    public static float[] Transpose(ReadOnlySpan<float> matrix, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(matrix.Length, rows * columns, nameof(matrix));
        float[] result = GC.AllocateUninitializedArray<float>(matrix.Length);
        if (rows % 4 == 0)
        {
            fixed (float* source = matrix, destination = result) DecoderKernels.Transpose(source, columns, rows, columns, destination, rows);
            return result;
        }

        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++) result[(c * rows) + r] = matrix[(r * columns) + c];
        }

        return result;
    }

    /// <summary>
    /// Turns the weight of a transposed convolution with kernel and stride 2 (in x out x 2 x 2) into the matrix
    /// in x (2·2·out) that does the same on rows: column (sy, sx, channel).
    /// </summary>
    public static float[] FromTransposedConvolution(ReadOnlySpan<float> weight, int inputs, int outputs)
    {
        float[] result = new float[weight.Length];
        for (int i = 0; i < inputs; i++)
        {
            for (int o = 0; o < outputs; o++)
            {
                for (int s = 0; s < 4; s++) result[(((i * 4) + s) * outputs) + o] = weight[(((i * outputs) + o) * 4) + s];
            }
        }

        return result;
    }

    /// <summary>Repeats a row of values.</summary>
    public static float[] Repeat(ReadOnlySpan<float> values, int times)
    {
        float[] result = new float[values.Length * times];
        for (int i = 0; i < times; i++) values.CopyTo(result.AsSpan(i * values.Length));
        return result;
    }
}
