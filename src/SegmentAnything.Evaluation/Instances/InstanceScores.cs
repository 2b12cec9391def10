namespace SegmentAnything.Evaluation;

/// <summary>Precision and recall of a model on a set.</summary>
/// <remarks>
/// Numbers are 0 to 1, and -1 where the set has no object to be found: the official code says so, too. Immutable; may be shared
/// between threads.
/// </remarks>
public sealed class InstanceScores
{
    private readonly EvaluationSet _set;
    private readonly double[] _precision;
    private readonly double[] _scores;
    private readonly double[] _recall;

    internal InstanceScores(EvaluationSet set, InstanceEvaluationOptions options, long[] categories, MatchedCell[][] cells)
    {
        _set = set;
        Options = options;
        CategoryIds = categories;
        Cells = cells;
        long places = (long)options.IouThresholds.Count * Categories * options.AreaRanges.Count * options.MaxDetections.Count;
        if (places * options.RecallThresholds.Count > Array.MaxLength)
        {
            throw new ArgumentException(
                $"{places} precision curves of {options.RecallThresholds.Count} points do not fit memory. Ask for fewer thresholds, sizes or numbers.");
        }

        _recall = new double[places];
        _precision = new double[places * options.RecallThresholds.Count];
        _scores = new double[_precision.Length];
        Array.Fill(_recall, -1);
        Array.Fill(_precision, -1);
        Array.Fill(_scores, -1);
    }

    /// <summary>How the instances were compared.</summary>
    public InstanceEvaluationOptions Options { get; }

    /// <summary>The categories that took part, ascending; none when categories count for nothing.</summary>
    public IReadOnlyList<long> CategoryIds { get; }

    internal MatchedCell[][] Cells { get; }

    private int Categories => Options.UseCategories ? CategoryIds.Count : 1;

    /// <summary>The mean precision over recalls, thresholds and categories.</summary>
    /// <param name="iouThreshold">The one threshold, such as 0.5; all of them when null.</param>
    /// <param name="area">The name of the size; all sizes when null.</param>
    /// <param name="maxDetections">The number of detections; the greatest when null.</param>
    /// <param name="categoryIds">The categories; all when null.</param>
    /// <returns>0 to 1, or -1 when there is no object to be found.</returns>
    /// <exception cref="ArgumentException">There is no such threshold, size, number or category.</exception>
    public double AveragePrecision(
        double? iouThreshold = null, string? area = null, int? maxDetections = null, IReadOnlyCollection<long>? categoryIds = null) =>
        Mean(iouThreshold, area, maxDetections, categoryIds, cell => PrecisionOf(cell));

    /// <summary>The mean over thresholds and categories of the part of the objects that is found.</summary>
    /// <inheritdoc cref="AveragePrecision"/>
    public double AverageRecall(
        double? iouThreshold = null, string? area = null, int? maxDetections = null, IReadOnlyCollection<long>? categoryIds = null) =>
        Mean(iouThreshold, area, maxDetections, categoryIds, cell => new Span<double>(ref _recall[Place(cell)]));

    /// <summary>The precision at each of <see cref="InstanceEvaluationOptions.RecallThresholds"/>.</summary>
    /// <param name="threshold">The place of the intersection over union.</param>
    /// <param name="category">The place of the category; 0 when categories count for nothing.</param>
    /// <param name="area">The place of the size.</param>
    /// <param name="maxDetections">The place of the number of detections.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such place.</exception>
    public ReadOnlySpan<double> PrecisionCurve(int threshold, int category, int area, int maxDetections) =>
        PrecisionOf(Checked(threshold, category, area, maxDetections));

    /// <summary>The score from which on that precision is had.</summary>
    /// <inheritdoc cref="PrecisionCurve"/>
    public ReadOnlySpan<double> ScoreCurve(int threshold, int category, int area, int maxDetections) =>
        ScoresOf(Checked(threshold, category, area, maxDetections));

    /// <summary>The part of the objects that is found.</summary>
    /// <inheritdoc cref="PrecisionCurve"/>
    public double Recall(int threshold, int category, int area, int maxDetections) =>
        _recall[Place(Checked(threshold, category, area, maxDetections))];

    /// <summary>The numbers that the official code prints, by its names, in its order.</summary>
    /// <remarks>
    /// COCO: AP, AP50, AP75, APs, APm, APl, then AR at each number of detections and ARs, ARm, ARl. LVIS: APr, APc and APf
    /// follow, where the categories have groups, and AR@300.
    /// </remarks>
    public IReadOnlyList<(string Name, double Value)> Summary()
    {
        var numbers = new List<(string Name, double Value)> { ("AP", AveragePrecision()) };
        foreach (double threshold in Options.IouThresholds.Where(value => value is 0.5 or 0.75))
            numbers.Add(($"AP{threshold * 100:0}", AveragePrecision(threshold)));
        List<AreaRange> sizes = [.. Options.AreaRanges.Skip(1)];
        foreach (AreaRange size in sizes) numbers.Add(($"AP{Initial(size)}", AveragePrecision(area: size.Name)));
        bool lvis = Options.Rules == EvaluationRules.Lvis;
        if (lvis && Options.UseCategories)
        {
            foreach (CategoryFrequency frequency in Enum.GetValues<CategoryFrequency>())
            {
                long[] group = [.. CategoryIds.Where(id => _set.Categories[_set.IndexOfCategory(id)].Frequency == frequency)];
                if (group.Length > 0)
                    numbers.Add(($"AP{char.ToLowerInvariant(frequency.ToString()[0])}", AveragePrecision(categoryIds: group)));
            }
        }

        string at = lvis ? "@" : "", most = lvis ? $"@{Options.MostDetections}" : "";
        foreach (int number in Options.MaxDetections) numbers.Add(($"AR{at}{number}", AverageRecall(maxDetections: number)));
        foreach (AreaRange size in sizes) numbers.Add(($"AR{Initial(size)}{most}", AverageRecall(area: size.Name)));
        return numbers;
    }

    internal Span<double> PrecisionOf(Cell cell) =>
        _precision.AsSpan(Place(cell) * Options.RecallThresholds.Count, Options.RecallThresholds.Count);

    internal Span<double> ScoresOf(Cell cell) =>
        _scores.AsSpan(Place(cell) * Options.RecallThresholds.Count, Options.RecallThresholds.Count);

    internal void SetRecall(Cell cell, double recall) => _recall[Place(cell)] = recall;

    private static char Initial(AreaRange size) => size.Name[0];

    private double Mean(
        double? iouThreshold, string? area, int? maxDetections, IReadOnlyCollection<long>? categoryIds, CellValues valuesOf)
    {
        int range = area is null ? 0 : Find(Options.AreaRanges.Select(size => size.Name), area, "area");
        int number = maxDetections is { } most ? Find(Options.MaxDetections, most, "number of detections") : Options.MaxDetections.Count - 1;
        IEnumerable<int> thresholds = iouThreshold is { } one
            ? [Find(Options.IouThresholds, one, "threshold")]
            : Enumerable.Range(0, Options.IouThresholds.Count);
        int[] categories = categoryIds is null
            ? [.. Enumerable.Range(0, Categories)]
            : [.. categoryIds.Select(id => Find(CategoryIds, id, "category"))];
        double sum = 0;
        long count = 0;
        foreach (int threshold in thresholds)
        {
            foreach (int category in categories)
            {
                foreach (double value in valuesOf(new Cell(threshold, category, range, number)))
                {
                    if (value <= -1) continue;
                    sum += value;
                    count++;
                }
            }
        }

        return count == 0 ? -1 : sum / count;
    }

    private static int Find<T>(IEnumerable<T> values, T value, string what)
    {
        int place = values.ToList().IndexOf(value);
        if (place >= 0) return place;
        throw new ArgumentException($"No {what} {value} was evaluated. There are {string.Join(", ", values.Take(20))}.");
    }

    private Cell Checked(int threshold, int category, int area, int maxDetections)
    {
        CheckPlace(threshold, Options.IouThresholds.Count, nameof(threshold));
        CheckPlace(category, Categories, nameof(category));
        CheckPlace(area, Options.AreaRanges.Count, nameof(area));
        CheckPlace(maxDetections, Options.MaxDetections.Count, nameof(maxDetections));
        return new Cell(threshold, category, area, maxDetections);
    }

    private static void CheckPlace(int place, int count, string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(place, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(place, count, name);
    }

    private int Place(Cell cell) =>
        (((((cell.Threshold * Categories) + cell.Category) * Options.AreaRanges.Count) + cell.Area) * Options.MaxDetections.Count) + cell.MaxDetections;

    private delegate Span<double> CellValues(Cell cell);
}

/// <summary>One curve: the places of its threshold, category, size and number of detections.</summary>
internal readonly record struct Cell(int Threshold, int Category, int Area, int MaxDetections);
