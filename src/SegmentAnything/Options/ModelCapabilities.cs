namespace SegmentAnything;

/// <summary>What a model can be prompted with, and what it gives. What it cannot do is an error, never left out silently.</summary>
public sealed record ModelCapabilities
{
    /// <summary>Points beside the object, <see cref="PointLabel.Background"/>, were trained. Default: true.</summary>
    public bool NegativePoints { get; init; } = true;

    /// <summary>Boxes. Default: true.</summary>
    public bool Boxes { get; init; } = true;

    /// <summary>Rough masks, <see cref="Prompt.AndMask(ReadOnlyMemory{float})"/>. Default: true.</summary>
    public bool MaskPrompts { get; init; } = true;

    /// <summary>The most points of a prompt, a box counting as two; null where there is no limit. Default: null.</summary>
    public int? MostPoints { get; init; }

    /// <summary>How many masks <see cref="MaskSelection.Multiple"/> gives. Default: 3.</summary>
    public int MultipleMasks { get; init; } = 3;

    /// <summary>Each prediction says whether there is an object at all: <see cref="MaskPrediction.ObjectScore"/>. Default: false.</summary>
    public bool ObjectScores { get; init; }
}
