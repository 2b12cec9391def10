namespace SegmentAnything.Evaluation;

/// <summary>An image of a set that is evaluated.</summary>
/// <param name="Id">Its number in the set's files.</param>
/// <param name="Width">Width, in pixels.</param>
/// <param name="Height">Height, in pixels.</param>
public sealed record EvaluationImage(long Id, int Width, int Height)
{
    /// <summary>Categories of which people said that the image has none (LVIS, neg_category_ids).</summary>
    public IReadOnlyList<long> NegativeCategoryIds { get; init; } = [];

    /// <summary>Categories of which not every object was annotated (LVIS, not_exhaustive_category_ids).</summary>
    public IReadOnlyList<long> NotExhaustiveCategoryIds { get; init; } = [];
}

/// <summary>A category of a set that is evaluated.</summary>
/// <param name="Id">Its number in the set's files.</param>
/// <param name="Name">Its name.</param>
public sealed record EvaluationCategory(long Id, string Name)
{
    /// <summary>LVIS' group, by the number of training images; null where the set has no such groups.</summary>
    public CategoryFrequency? Frequency { get; init; }
}

/// <summary>How often a category occurs in LVIS' training images.</summary>
public enum CategoryFrequency
{
    /// <summary>In 1 to 10 images ("r").</summary>
    Rare,

    /// <summary>In 11 to 100 images ("c").</summary>
    Common,

    /// <summary>In more than 100 images ("f").</summary>
    Frequent,
}
