namespace SegmentAnything.Kernels;

/// <summary>
/// For each output position of an antialiased bilinear resize along one axis: the first source position, the number of
/// source positions, and their weights in fixed point with <see cref="Precision"/> fractional bits.
/// </summary>
/// <remarks>
/// The triangle is widened by the shrink factor, cut at the borders and scaled to a sum of one, in double; the weights
/// are then rounded half up. Source: Pillow, Resample.c (8 bits a channel), whose numbers are matched exactly.
/// </remarks>
internal sealed class ResampleTable
{
    /// <summary>Fractional bits: 32 less 8 for the value and 2 to spare.</summary>
    public const int Precision = 22;

    public ResampleTable(int sourceLength, int length)
    {
        SourceLength = sourceLength;
        Length = length;
        double scale = (double)sourceLength / length;
        double support = Math.Max(scale, 1.0);
        double inverse = 1.0 / support;
        Taps = ((int)Math.Ceiling(support) * 2) + 1;
        First = new int[length];
        Count = new int[length];
        Weights = new int[checked(length * Taps)];
        double[] weights = new double[Taps];
        for (int i = 0; i < length; i++)
        {
            double center = (i + 0.5) * scale;
            int first = Math.Max((int)(center - support + 0.5), 0);
            int count = Math.Min((int)(center + support + 0.5), sourceLength) - first;
            double sum = 0;
            for (int k = 0; k < count; k++)
            {
                double distance = Math.Abs((k + first - center + 0.5) * inverse);
                weights[k] = distance < 1.0 ? 1.0 - distance : 0.0;
                sum += weights[k];
            }

            First[i] = first;
            Count[i] = count;
            for (int k = 0; k < count; k++)
            {
                double weight = sum != 0.0 ? weights[k] / sum : weights[k];
                Weights[(i * Taps) + k] = (int)(0.5 + (weight * (1 << Precision)));
            }
        }
    }

    public int SourceLength { get; }

    public int Length { get; }

    /// <summary>Weights kept for each output position; those beyond its <see cref="Count"/> are zero.</summary>
    public int Taps { get; }

    /// <summary>The first source position of each output position. Never decreases.</summary>
    public int[] First { get; }

    /// <summary>How many source positions an output position reads; at least one.</summary>
    public int[] Count { get; }

    /// <summary>Weights of output position i, from i * <see cref="Taps"/> on. None is negative.</summary>
    public int[] Weights { get; }

    /// <summary>True where the length stays: such a pass changes nothing and is left out.</summary>
    public bool IsIdentity => SourceLength == Length;

    public ReadOnlySpan<int> WeightsOf(int i) => Weights.AsSpan(i * Taps, Count[i]);
}
