namespace SegmentAnything.Kernels;

/// <summary>
/// For each output position of an antialiased bilinear resize along one axis: the first source position, the number of
/// source positions, and their weights as float32.
/// </summary>
/// <remarks>
/// The triangle is widened by the shrink factor, cut at the borders and scaled to a sum of one. Float and double are mixed as
/// in PyTorch's CPU kernel, whose numbers are matched to the bit; <see cref="ResampleTable"/> is Pillow's, in fixed point.
/// Source: PyTorch, aten/native/cpu/UpSampleKernel.cpp (_compute_indices_weights_aa).
/// </remarks>
internal sealed class FloatResampleTable
{
    public FloatResampleTable(int sourceLength, int length)
    {
        SourceLength = sourceLength;
        Length = length;
        float scale = (float)sourceLength / length;
        float support = scale >= 1 ? scale : 1;
        float inverse = scale >= 1 ? (float)(1.0 / scale) : 1;
        Taps = ((int)MathF.Ceiling(support) * 2) + 1;
        First = new int[length];
        Count = new int[length];
        Weights = new float[checked(length * Taps)];
        for (int i = 0; i < length; i++)
        {
            float center = (float)(scale * (i + 0.5));
            int first = Math.Max((int)(center - support + 0.5), 0);
            int count = Math.Clamp((int)(center + support + 0.5), first + 1, sourceLength) - first;
            Span<float> weights = Weights.AsSpan(i * Taps, count);
            float sum = 0;
            for (int k = 0; k < count; k++)
            {
                float distance = MathF.Abs((float)((k + first - center + 0.5) * inverse));
                weights[k] = distance < 1 ? 1 - distance : 0;
                sum += weights[k];
            }

            First[i] = first;
            Count[i] = count;
            if (sum == 0) continue;
            foreach (ref float weight in weights) weight /= sum;
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
    public float[] Weights { get; }

    public ReadOnlySpan<float> WeightsOf(int i) => Weights.AsSpan(i * Taps, Count[i]);
}
