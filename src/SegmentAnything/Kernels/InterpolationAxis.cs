namespace SegmentAnything.Kernels;

/// <summary>
/// For each output position of a bilinear resize along one axis, without antialiasing and with pixel centres at halves
/// (align_corners = false): the two neighbours and their weights.
/// </summary>
/// <remarks>
/// In float32 and in the order of PyTorch's CPU upsample_bilinear2d, so that masks agree to the pixel:
/// s = max(scale * (i + 0.5) - 0.5, 0), fused; first = floor(s); second weight = s - first; first weight = 1 - second.
/// All arrays are padded with repetitions of the last entry to a multiple of <see cref="Step"/>.
/// </remarks>
internal sealed class InterpolationAxis
{
    /// <summary>Positions that kernels handle at a time: the bits of a word.</summary>
    public const int Step = 64;

    /// <param name="sourceLength">Positions of the whole source.</param>
    /// <param name="targetLength">Positions that the whole source is resized to: with the source they give the scale.</param>
    /// <param name="length">How many of them are wanted, from the first on.</param>
    public InterpolationAxis(int sourceLength, int targetLength, int length)
    {
        SourceLength = sourceLength;
        Length = length;
        int padded = (length + Step - 1) / Step * Step;
        First = new int[padded];
        Second = new int[padded];
        FirstWeight = new float[padded];
        SecondWeight = new float[padded];
        float scale = (float)sourceLength / targetLength;
        for (int i = 0; i < padded; i++)
        {
            int position = Math.Min(i, length - 1);
            int first = position;
            float secondWeight = 0;
            if (sourceLength != targetLength)
            {
                float s = Math.Max(MathF.FusedMultiplyAdd(scale, position + 0.5f, -0.5f), 0);
                first = Math.Min((int)s, sourceLength - 1);
                secondWeight = Math.Clamp(s - first, 0, 1);
            }

            First[i] = first;
            Second[i] = sourceLength == targetLength ? first : Math.Min(first + 1, sourceLength - 1);
            FirstWeight[i] = 1 - secondWeight;
            SecondWeight[i] = secondWeight;
        }

        (FirstOf8, SecondOf8, Reach8) = Group(8);
        (FirstOf16, SecondOf16, Reach16) = Group(16);
    }

    public int SourceLength { get; }

    public int Length { get; }

    public int[] First { get; }

    public int[] Second { get; }

    public float[] FirstWeight { get; }

    public float[] SecondWeight { get; }

    /// <summary><see cref="First"/>, counted from the first neighbour of its group of 8 outputs.</summary>
    public int[] FirstOf8 { get; }

    /// <summary><see cref="Second"/>, counted from the first neighbour of its group of 8 outputs.</summary>
    public int[] SecondOf8 { get; }

    /// <summary><see cref="First"/>, counted from the first neighbour of its group of 16 outputs.</summary>
    public int[] FirstOf16 { get; }

    /// <summary><see cref="Second"/>, counted from the first neighbour of its group of 16 outputs.</summary>
    public int[] SecondOf16 { get; }

    /// <summary>How many source positions 8 neighbouring outputs read at most, counted from a multiple of 8.</summary>
    public int Reach8 { get; }

    /// <summary>How many source positions 16 neighbouring outputs read at most, counted from a multiple of 16.</summary>
    public int Reach16 { get; }

    private (int[] First, int[] Second, int Reach) Group(int lanes)
    {
        int[] first = new int[First.Length], second = new int[First.Length];
        for (int i = 0; i < first.Length; i++)
        {
            int origin = First[i - (i % lanes)];
            (first[i], second[i]) = (First[i] - origin, Second[i] - origin);
        }

        return (first, second, second.Max() + 1);
    }
}
