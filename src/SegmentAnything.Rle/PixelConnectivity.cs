namespace SegmentAnything.Rle;

/// <summary>Which pixels are neighbours.</summary>
public enum PixelConnectivity
{
    /// <summary>The four that share an edge.</summary>
    Four = 4,

    /// <summary>The eight that share an edge or a corner; what Segment Anything uses.</summary>
    Eight = 8,
}
