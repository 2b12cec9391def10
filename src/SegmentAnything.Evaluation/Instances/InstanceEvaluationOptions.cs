namespace SegmentAnything.Evaluation;

/// <summary>What of two objects is compared.</summary>
public enum ComparedShape
{
    /// <summary>Masks: intersection over union.</summary>
    Mask,

    /// <summary>Boxes: intersection over union.</summary>
    Box,

    /// <summary>
    /// Masks and their borders: the lesser of the intersections over unions of both.
    /// Source: Boundary IoU (Cheng et al. 2021), Boundary AP.
    /// </summary>
    Boundary,
}

/// <summary>Whose rules hold.</summary>
public enum EvaluationRules
{
    /// <summary>Every image is annotated with every category; crowds absorb detections. Source: COCO API, COCOeval.</summary>
    Coco,

    /// <summary>
    /// An image is annotated with some categories, negative ones included: detections of others are left out, and so are, in
    /// the images that say so, those that match nothing. The number of detections an image is of all categories together.
    /// Source: LVIS API, LVISEval and LVISResults.
    /// </summary>
    Lvis,
}

/// <summary>Objects that are counted together because of their size.</summary>
/// <param name="Name">What the size is called.</param>
/// <param name="Min">The smallest area, in pixels, inclusive.</param>
/// <param name="Max">The largest area, in pixels, inclusive.</param>
public sealed record AreaRange(string Name, double Min, double Max)
{
    /// <summary>COCO's four: all, small (to 32 x 32), medium (to 96 x 96) and large.</summary>
    public static IReadOnlyList<AreaRange> Coco { get; } =
        [new("all", 0, 1e10), new("small", 0, 32 * 32), new("medium", 32 * 32, 96 * 96), new("large", 96 * 96, 1e10)];

    internal bool Contains(double area) => !(area < Min || area > Max);
}

/// <summary>How instances are compared.</summary>
public sealed record InstanceEvaluationOptions
{
    /// <summary>COCO's: masks, categories, 1, 10 and 100 detections of a category in an image.</summary>
    public static InstanceEvaluationOptions Coco { get; } = new();

    /// <summary>LVIS': masks, its federated rules, 300 detections an image.</summary>
    public static InstanceEvaluationOptions Lvis { get; } = new() { Rules = EvaluationRules.Lvis, MaxDetections = [300] };

    /// <summary>
    /// Object proposals: categories count for nothing, 1, 10, 100 and 1000 of them an image.
    /// Source: Segment Anything (Kirillov et al. 2023), section 7.3.
    /// </summary>
    public static InstanceEvaluationOptions Proposals { get; } = new() { UseCategories = false, MaxDetections = [1, 10, 100, 1000] };

    /// <summary>What of two objects is compared.</summary>
    public ComparedShape Shape { get; init; }

    /// <summary>Whose rules hold.</summary>
    public EvaluationRules Rules { get; init; }

    /// <summary>Whether an object matches only one of its own category.</summary>
    public bool UseCategories { get; init; } = true;

    /// <summary>The categories that take part, with their objects; null for all.</summary>
    public IReadOnlyList<long>? CategoryIds { get; init; }

    /// <summary>
    /// How many of the best-scored detections count, ascending: of a category in an image by COCO's rules; of an image by LVIS',
    /// where there is one such number.
    /// </summary>
    public IReadOnlyList<int> MaxDetections { get; init; } = [1, 10, 100];

    /// <summary>From which intersection over union on two objects match, ascending, 64 at most: 0.5, 0.55 .. 0.95.</summary>
    public IReadOnlyList<double> IouThresholds { get; init; } = Spaced(0.5, 0.95, 10);

    /// <summary>At which recalls precision is sampled, ascending: 0, 0.01 .. 1.</summary>
    public IReadOnlyList<double> RecallThresholds { get; init; } = Spaced(0, 1, 101);

    /// <summary>Sizes that are counted apart; the first is that of all objects.</summary>
    public IReadOnlyList<AreaRange> AreaRanges { get; init; } = AreaRange.Coco;

    /// <summary>Width of the border of <see cref="ComparedShape.Boundary"/>, as a part of the image's diagonal.</summary>
    public double BoundaryDilationRatio { get; init; } = Rle.RleMask.DefaultDilationRatio;

    /// <summary>How many threads compare; all processors' when null.</summary>
    public int? Threads { get; init; }

    internal int MostDetections => MaxDetections[^1];

    internal ParallelOptions Parallelism(CancellationToken cancellationToken) =>
        new() { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Threads ?? Environment.ProcessorCount };

    internal void Check(EvaluationSet set)
    {
        CheckAscending(MaxDetections, 1, int.MaxValue, 1000, nameof(MaxDetections));
        CheckAscending(IouThresholds, 0, 1, 64, nameof(IouThresholds));
        CheckAscending(RecallThresholds, 0, 1, 10_000, nameof(RecallThresholds));
        if (AreaRanges.Count is 0 or > 64) throw new ArgumentException($"{AreaRanges.Count} area ranges were given. Give 1 to 64.");
        if (Rules == EvaluationRules.Lvis && MaxDetections.Count != 1)
            throw new ArgumentException($"LVIS' rules know one number of detections an image, but {MaxDetections.Count} were given.");
        if (Threads is < 1) throw new ArgumentException($"{Threads} threads cannot compare anything. Give 1 or more.");
        foreach (long id in CategoryIds ?? [])
        {
            if (set.IndexOfCategory(id) < 0) throw new ArgumentException($"Category {id} was asked for, but the set has no such category.");
        }
    }

    // The values of numpy's linspace: a product a value and the end as it was given, as the official thresholds are made.
    private static double[] Spaced(double first, double last, int count)
    {
        double step = (last - first) / (count - 1);
        double[] values = new double[count];
        for (int i = 0; i < count; i++) values[i] = (i * step) + first;
        values[^1] = last;
        return values;
    }

    private static void CheckAscending<T>(IReadOnlyList<T> values, T min, T max, int most, string name) where T : IComparable<T>
    {
        bool good = values.Count >= 1 && values.Count <= most;
        for (int i = 0; good && i < values.Count; i++)
            good = values[i].CompareTo(min) >= 0 && values[i].CompareTo(max) <= 0 && (i == 0 || values[i].CompareTo(values[i - 1]) > 0);
        if (!good)
            throw new ArgumentException($"{name} is {string.Join(", ", values.Take(8))}. Give 1 to {most} ascending numbers between {min} and {max}.");
    }
}
