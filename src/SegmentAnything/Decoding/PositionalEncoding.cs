using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Decoding;

/// <summary>The random Fourier features that points, boxes and the image grid are positioned with.</summary>
/// <remarks>
/// A position (u, v) in 0..1 gives [sin(a), cos(a)] with a = 2π((2u - 1)·G₀ + (2v - 1)·G₁), where G is the
/// 2 x C/2 gaussian matrix. Source: Segment Anything, modeling/prompt_encoder.py (PositionEmbeddingRandom).
/// </remarks>
internal static class PositionalEncoding
{
    public const string MatrixName = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";

    /// <summary>Writes the encoding of one position.</summary>
    /// <param name="matrix">2 x C/2, row-major.</param>
    /// <param name="u">x as a fraction of the width.</param>
    /// <param name="v">y as a fraction of the height.</param>
    /// <param name="destination">C values.</param>
    public static void Encode(ReadOnlySpan<float> matrix, float u, float v, Span<float> destination)
    {
        int half = matrix.Length / 2;
        float x = (2 * u) - 1;
        float y = (2 * v) - 1;
        for (int i = 0; i < half; i++)
        {
            float angle = 2 * MathF.PI * ((x * matrix[i]) + (y * matrix[half + i]));
            (float sine, float cosine) = MathF.SinCos(angle);
            destination[i] = sine;
            destination[half + i] = cosine;
        }
    }

    /// <summary>The encoding of the centres of a grid x grid image, rows of C values in row order.</summary>
    public static float[] OfGrid(StateDict weights, int grid)
    {
        float[] matrix = weights.ReadAny(MatrixName);
        float[] result = new float[grid * grid * matrix.Length];
        for (int y = 0; y < grid; y++)
        {
            for (int x = 0; x < grid; x++)
            {
                Encode(matrix, (x + 0.5f) / grid, (y + 0.5f) / grid,
                    result.AsSpan(((y * grid) + x) * matrix.Length, matrix.Length));
            }
        }

        return result;
    }
}
