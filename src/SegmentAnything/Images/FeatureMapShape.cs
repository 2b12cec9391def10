namespace SegmentAnything;

/// <summary>One of the maps that an image encoder gives: channels x side x side values, row-major.</summary>
/// <param name="Name">
/// What it is called in the graphs of encoder and decoder, and in a saved embedding. The first map of every model is
/// <see cref="Embedding"/>.
/// </param>
/// <param name="Channels">Values at each position.</param>
/// <param name="Side">Rows, and columns.</param>
public sealed record FeatureMapShape(string Name, int Channels, int Side)
{
    /// <summary>The map that every model has: what the mask decoder's transformer reads.</summary>
    public const string Embedding = "embedding";

    /// <summary>How many values it has.</summary>
    public int Length => checked(Channels * Side * Side);
}
