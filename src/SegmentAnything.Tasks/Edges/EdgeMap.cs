namespace SegmentAnything.Tasks;

/// <summary>How strong an edge is at each pixel of an image.</summary>
public sealed class EdgeMap
{
    private readonly float[] _strengths;

    internal EdgeMap(float[] strengths, int width, int height) => (_strengths, Width, Height) = (strengths, width, height);

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>0 for no edge to 1 for the strongest of the image; rows from the top, width * height values.</summary>
    public ReadOnlySpan<float> Strengths => _strengths;

    /// <summary>The strengths as 8 bits, 0 to 255, as files and <see cref="Evaluation.EdgeBenchmark"/> take them.</summary>
    public byte[] ToLevels() => Array.ConvertAll(_strengths, strength => (byte)MathF.Round(255 * strength));
}
