namespace SegmentAnything.Families.EfficientSam;

/// <summary>Resizes a square table of rows with PyTorch's bicubic filter, align_corners = false, without antialiasing.</summary>
internal static class BicubicTable
{
    /// <summary>PyTorch's; other programs take -0.5.</summary>
    private const double A = -0.75;

    /// <param name="table">side x side x channels, row-major.</param>
    /// <param name="side">Rows, and columns.</param>
    /// <param name="channels">Values at each.</param>
    /// <param name="target">Rows, and columns, of the result.</param>
    /// <returns>target x target x channels.</returns>
    public static float[] Resize(ReadOnlySpan<float> table, int side, int channels, int target)
    {
        if (side == target) return table.ToArray();
        (int[] Positions, double[] Weights)[] axis = [.. Enumerable.Range(0, target).Select(i => Taps(i, side, target))];
        float[] result = new float[target * target * channels];
        for (int y = 0; y < target; y++)
        {
            for (int x = 0; x < target; x++)
            {
                Span<float> row = result.AsSpan(((y * target) + x) * channels, channels);
                for (int c = 0; c < channels; c++)
                {
                    double sum = 0;
                    for (int i = 0; i < 4; i++)
                    {
                        double along = 0;
                        for (int j = 0; j < 4; j++)
                            along += axis[x].Weights[j] * table[(((axis[y].Positions[i] * side) + axis[x].Positions[j]) * channels) + c];
                        sum += axis[y].Weights[i] * along;
                    }

                    row[c] = (float)sum;
                }
            }
        }

        return result;
    }

    private static (int[] Positions, double[] Weights) Taps(int i, int side, int target)
    {
        // The positions and the weights are float32 in the reference.
        float position = ((float)side / target * (i + 0.5f)) - 0.5f;
        int first = (int)MathF.Floor(position);
        double t = position - first;
        return ([.. Enumerable.Range(first - 1, 4).Select(p => Math.Clamp(p, 0, side - 1))], [Far(1 + t), Near(t), Near(1 - t), Far(2 - t)]);

        static double Near(double x) => ((((A + 2) * x) - (A + 3)) * x * x) + 1;

        static double Far(double x) => (((((A * x) - (5 * A)) * x) + (8 * A)) * x) - (4 * A);
    }
}
