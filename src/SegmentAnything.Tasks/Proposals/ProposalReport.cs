using SegmentAnything.Annotations;
using SegmentAnything.Evaluation;

namespace SegmentAnything.Tasks;

/// <summary>How many of a set's objects are among a model's proposals.</summary>
public sealed class ProposalReport
{
    private static readonly int[] Numbers = [10, 100, 1000];

    private readonly InstanceScores _scores;
    private readonly (CategoryFrequency Frequency, double Recall)[] _groups;

    /// <summary>Compares proposals with a set.</summary>
    /// <param name="set">The objects.</param>
    /// <param name="proposals">What <see cref="ObjectProposals.Rank"/> gave for each image; their categories count for nothing.</param>
    /// <param name="cancellationToken">Ends the comparison between two images.</param>
    /// <exception cref="ArgumentException">As for <see cref="InstanceEvaluation.Evaluate"/>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ProposalReport(AnnotatedSet set, IReadOnlyList<Detection> proposals, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(proposals);
        Count = proposals.Count;
        Images = set.Images.Count;
        _scores = Evaluate(set, proposals, set.Evaluation.Categories, cancellationToken);
        _groups =
        [
            .. set.Evaluation.Categories.Where(category => category.Frequency is not null).GroupBy(category => category.Frequency!.Value).OrderByDescending(group => group.Key)
                .Select(group => (group.Key, Evaluate(set, proposals, group, cancellationToken).AverageRecall())),
        ];
    }

    /// <summary>How many proposals there are.</summary>
    public int Count { get; }

    /// <summary>How many images there are.</summary>
    public int Images { get; }

    /// <summary>The part of the objects that is found, the mean over IoU 0.5 to 0.95 (AR@k).</summary>
    /// <param name="proposals">10, 100 or 1000 an image.</param>
    /// <param name="area">all, small, medium or large.</param>
    /// <returns>0 to 1, or -1 when there is no such object.</returns>
    /// <exception cref="ArgumentException">There is no such number or size.</exception>
    public double AverageRecall(int proposals = 1000, string area = "all") => _scores.AverageRecall(area: area, maxDetections: proposals);

    /// <summary>The same for the objects of one of LVIS' groups, at 1000 proposals.</summary>
    /// <param name="frequency">The group.</param>
    /// <returns>0 to 1; -1 when the set has no such categories, or no object of them.</returns>
    public double AverageRecall(CategoryFrequency frequency)
    {
        foreach ((CategoryFrequency group, double recall) in _groups)
        {
            if (group == frequency) return recall;
        }

        return -1;
    }

    /// <summary>AR at 10, 100 and 1000 proposals by size, and of LVIS' groups, as a Markdown table.</summary>
    public string ToMarkdown()
    {
        string[] areas = [.. AreaRange.Coco.Select(area => area.Name)];
        var text = new System.Text.StringBuilder($"| proposals |{string.Concat(areas.Select(area => $" {area} |"))}\n|---|{string.Concat(areas.Select(_ => "---:|"))}\n");
        foreach (int number in Numbers) text.Append($"| AR@{number} |{string.Concat(areas.Select(area => $" {Shown(AverageRecall(number, area))} |"))}\n");
        if (_groups.Length > 0)
        {
            text.Append($"\n| categories |{string.Concat(_groups.Select(group => $" {group.Frequency.ToString().ToLowerInvariant()} |"))}\n|---|{string.Concat(_groups.Select(_ => "---:|"))}\n");
            text.Append($"| AR@1000 |{string.Concat(_groups.Select(group => $" {Shown(group.Recall)} |"))}\n");
        }

        return text.Append(FormattableString.Invariant($"\n{Count} proposals in {Images} images.\n")).ToString();
    }

    // The objects of some categories, as if they were all of one kind: others are neither to be found nor in the way.
    private static InstanceScores Evaluate(
        AnnotatedSet set, IReadOnlyList<Detection> proposals, IEnumerable<EvaluationCategory> categories, CancellationToken cancellationToken)
    {
        HashSet<long> wanted = [.. categories.Select(category => category.Id)];
        var objects = new EvaluationSet(
            set.Evaluation.Images, [new EvaluationCategory(1, "object")],
            set.Evaluation.GroundTruths.Where(truth => wanted.Contains(truth.CategoryId)).Select(truth => truth with { CategoryId = 1 }));
        return InstanceEvaluation.Evaluate(
            objects, [.. proposals.Select(proposal => proposal with { CategoryId = 1 })], InstanceEvaluationOptions.Proposals with { MaxDetections = Numbers }, cancellationToken);
    }

    private static string Shown(double value) => value < 0 ? "no such object" : FormattableString.Invariant($"{value:0.000}");
}

/// <summary>Proposals of every image of a set.</summary>
public static class ProposalEvaluation
{
    /// <summary>Finds proposals and compares them with the set.</summary>
    /// <param name="model">The model.</param>
    /// <param name="set">The objects.</param>
    /// <param name="load">Gives the pixels of an image.</param>
    /// <param name="options">How proposals are found; <see cref="ObjectProposals.Options"/> when null.</param>
    /// <param name="progress">Told after each image how many are done.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <exception cref="ArgumentException">An image's pixels are of another size than the set says.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ProposalReport Run(
        ISegmenter model, AnnotatedSet set, Func<AnnotationImage, PixelBuffer> load, AutomaticMaskOptions? options = null,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(load);
        var proposals = new List<Detection>();
        int done = 0;
        foreach (ImageAnnotations image in set.Images)
        {
            PixelBuffer pixels = ClickEvaluation.Load(image.Image, load);
            proposals.AddRange(ObjectProposals.Rank(model.GenerateMasks(pixels, options ?? ObjectProposals.Options, cancellationToken: cancellationToken), image.Image.Id));
            progress?.Report(++done);
        }

        return new ProposalReport(set, proposals, cancellationToken);
    }
}
