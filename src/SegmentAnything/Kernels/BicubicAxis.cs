namespace SegmentAnything.Kernels;

/// <summary>
/// For each output position of a bicubic resize along one axis, without antialiasing and with pixel centres at halves
/// (align_corners = false): its four neighbours and their weights.
/// </summary>
/// <remarks>Positions are computed in float32, as PyTorch's CPU upsample_bicubic2d does. Beyond the edge stands the edge.</remarks>
internal sealed class BicubicAxis
{
    /// <summary>Neighbours of a position.</summary>
    public const int Taps = 4;

    /// <summary>The filter's coefficient in PyTorch; other programs take -0.5.</summary>
    public const float Coefficient = -0.75f;

    /// <param name="sourceLength">Positions of the source.</param>
    /// <param name="length">Positions of the result.</param>
    public BicubicAxis(int sourceLength, int length)
    {
        Positions = new int[Taps * length];
        Weights = new float[Taps * length];
        float scale = (float)sourceLength / length;
        for (int i = 0; i < length; i++)
        {
            float position = (scale * (i + 0.5f)) - 0.5f;
            int first = (int)MathF.Floor(position);
            double t = position - first;
            for (int k = 0; k < Taps; k++) Positions[(Taps * i) + k] = Math.Clamp(first - 1 + k, 0, sourceLength - 1);
            (Weights[Taps * i], Weights[(Taps * i) + 1], Weights[(Taps * i) + 2], Weights[(Taps * i) + 3]) =
                ((float)Far(1 + t), (float)Near(t), (float)Near(1 - t), (float)Far(2 - t));
        }
    }

    /// <summary>Four a position.</summary>
    public int[] Positions { get; }

    /// <summary>Four a position; their sum is 1.</summary>
    public float[] Weights { get; }

    /// <summary>The resize as a product from the left: outputs x sources, row-major.</summary>
    /// <param name="sourceLength">Positions of the source.</param>
    /// <param name="length">Positions of the result.</param>
    public static float[] Matrix(int sourceLength, int length)
    {
        BicubicAxis axis = new(sourceLength, length);
        float[] matrix = new float[length * sourceLength];
        for (int i = 0; i < axis.Positions.Length; i++) matrix[(i / Taps * sourceLength) + axis.Positions[i]] += axis.Weights[i];
        return matrix;
    }

    private static double Near(double x) => ((((Coefficient + 2) * x) - (Coefficient + 3)) * x * x) + 1;

    private static double Far(double x) => (((((Coefficient * x) - (5 * Coefficient)) * x) + (8 * Coefficient)) * x) - (4 * Coefficient);
}
