namespace SegmentAnything.Evaluation;

/// <summary>Which detections and objects of an image meet: by category, or all together.</summary>
internal sealed class EvaluationPlan
{
    private readonly EvaluationSet _set;
    private readonly IReadOnlyList<Detection> _detections;
    private readonly InstanceEvaluationOptions _options;
    private readonly Dictionary<long, int> _categories;
    private readonly List<int>?[] _truthsOf;
    private readonly List<int>?[] _detectionsOf;

    public EvaluationPlan(
        EvaluationSet set, IReadOnlyList<Detection> detections, InstanceEvaluationOptions options, long[] categories)
    {
        _set = set;
        _detections = detections;
        _options = options;
        _categories = categories.Select((id, place) => (id, place)).ToDictionary(pair => pair.id, pair => pair.place);
        _truthsOf = new List<int>[set.Images.Count];
        _detectionsOf = new List<int>[set.Images.Count];
        for (int g = 0; g < set.GroundTruths.Count; g++)
        {
            if (_categories.ContainsKey(set.GroundTruths[g].CategoryId)) Add(_truthsOf, set.GroundTruths[g].ImageId, g);
        }

        // LVIS cuts an image's detections before it looks at their categories.
        for (int d = 0; d < detections.Count; d++)
        {
            if (options.Rules == EvaluationRules.Lvis || _categories.ContainsKey(detections[d].CategoryId))
                Add(_detectionsOf, detections[d].ImageId, d);
        }
    }

    /// <summary>Matches one image: the categories that have an object or a detection in it, in order.</summary>
    public MatchedCell[] Match(int image, CellMatcher matcher)
    {
        List<int> truths = _truthsOf[image] ?? [];
        List<int> detections = _detectionsOf[image] ?? [];
        IReadOnlyList<long> notExhaustive = [];
        if (_options.Rules == EvaluationRules.Lvis)
        {
            notExhaustive = _set.Images[image].NotExhaustiveCategoryIds;
            detections = Federated(_set.Images[image], truths, detections);
        }

        ILookup<int, int> truthsBy = truths.ToLookup(g => _categories[_set.GroundTruths[g].CategoryId]);
        ILookup<int, int> detectionsBy = detections.ToLookup(d => _categories[_detections[d].CategoryId]);
        int[] present = [.. truthsBy.Select(group => group.Key).Union(detectionsBy.Select(group => group.Key)).Order()];
        if (_options.UseCategories)
            return [.. present.Select(c => matcher.Match(c, BestOf(detectionsBy[c]), [.. truthsBy[c]], notExhaustive))];

        // The official order, which decides between equals: by category, then as in the file.
        return present.Length == 0
            ? []
            : [matcher.Match(0, BestOf(present.SelectMany(c => detectionsBy[c])), [.. present.SelectMany(c => truthsBy[c])], notExhaustive)];
    }

    // An image's best detections of any category; of these, the ones whose category the image was searched for.
    private List<int> Federated(EvaluationImage image, List<int> truths, List<int> detections)
    {
        var searched = new HashSet<long>(image.NegativeCategoryIds);
        foreach (int g in truths) searched.Add(_set.GroundTruths[g].CategoryId);
        IEnumerable<int> best = detections.Count > _options.MostDetections ? BestOf(detections).Order() : detections;
        return [.. best.Where(d => searched.Contains(_detections[d].CategoryId) && _categories.ContainsKey(_detections[d].CategoryId))];
    }

    private int[] BestOf(IEnumerable<int> detections) =>
        [.. detections.OrderByDescending(d => _detections[d].Score).Take(_options.MostDetections)];

    private void Add(List<int>?[] lists, long imageId, int place) => (lists[_set.IndexOfImage(imageId)] ??= []).Add(place);
}
