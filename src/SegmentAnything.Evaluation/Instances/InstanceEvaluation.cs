namespace SegmentAnything.Evaluation;

/// <summary>Compares detections with what people annotated, as COCO's and LVIS' own code does.</summary>
/// <remarks>
/// Source: COCO API (PythonAPI, COCOeval) and LVIS API (LVISEval). Matches, recalls and precisions are equal to theirs to the bit.
/// </remarks>
public static class InstanceEvaluation
{
    /// <summary>Matches every detection and gathers precision and recall.</summary>
    /// <param name="set">What people annotated.</param>
    /// <param name="detections">What a model found, in any order; that of a file decides between equal scores.</param>
    /// <param name="options">How they are compared; <see cref="InstanceEvaluationOptions.Coco"/> when null.</param>
    /// <param name="cancellationToken">Ends the comparison between two images.</param>
    /// <exception cref="ArgumentException">
    /// An option makes no sense; a detection is in an image that the set has not, has a score that is not a number, lacks the mask or
    /// box that is compared, or has a mask of another size than the image. No detection is of a category that the set has.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>Detections of categories that the set has not are left out, as the official code does.</remarks>
    public static InstanceScores Evaluate(
        EvaluationSet set, IReadOnlyList<Detection> detections, InstanceEvaluationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(detections);
        options ??= InstanceEvaluationOptions.Coco;
        options.Check(set);
        Check(set, detections, options);

        long[] categories = options.CategoryIds is { } wanted ? [.. wanted.Distinct().Order()] : [.. set.Categories.Select(c => c.Id)];
        var plan = new EvaluationPlan(set, detections, options, categories);
        var cells = new MatchedCell[set.Images.Count][];
        var matcher = new CellMatcher(options, set.GroundTruths, detections);
        Parallel.For(0, cells.Length, options.Parallelism(cancellationToken), image => cells[image] = plan.Match(image, matcher));
        return PrecisionRecall.Gather(set, cells, options, categories, cancellationToken);
    }

    private static void Check(EvaluationSet set, IReadOnlyList<Detection> detections, InstanceEvaluationOptions options)
    {
        bool needsMasks = options.Shape != ComparedShape.Box, anyKnown = detections.Count == 0;
        for (int d = 0; d < detections.Count; d++)
        {
            Detection detection = detections[d] ?? throw Wrong(d, "is null");
            int index = set.IndexOfImage(detection.ImageId);
            if (index < 0)
            {
                throw Wrong(d, $"is in image {detection.ImageId}, which the ground truth has not: its images are {set.Images[0].Id} to " +
                    $"{set.Images[^1].Id}. Are the results of another set?");
            }

            EvaluationImage image = set.Images[index];
            if (!double.IsFinite(detection.Score)) throw Wrong(d, $"has the score {detection.Score}; a number is expected");
            if (needsMasks && detection.Mask is null) throw Wrong(d, "has no mask. Compare boxes, or give masks");
            if (detection.Mask is { } mask && (mask.Width != image.Width || mask.Height != image.Height))
                throw Wrong(d, $"has a mask of {mask.Width}x{mask.Height} pixels, but image {image.Id} is {image.Width}x{image.Height}");
            if (detection.Mask is null && detection.Box is null) throw Wrong(d, "has neither a mask nor a box");
            if (!detection.ComparedBox.IsUsable) throw Wrong(d, $"has the box {detection.Box}; numbers of 0 or more are expected");
            anyKnown = anyKnown || set.IndexOfCategory(detection.CategoryId) >= 0;
        }

        if (!anyKnown)
        {
            throw new ArgumentException(
                $"No detection is of a category of the ground truth: detections have {Some(detections.Select(d => d.CategoryId))}, the " +
                $"ground truth {Some(set.Categories.Select(c => c.Id))}.", nameof(detections));
        }

        if (needsMasks && set.GroundTruths.FirstOrDefault(truth => truth.Mask is null) is { } without)
            throw new ArgumentException($"Annotation {without.Id} has no mask. Compare boxes, or give masks.", nameof(set));
    }

    private static string Some(IEnumerable<long> ids)
    {
        long[] some = [.. ids.Distinct().Order().Take(9)];
        return string.Join(", ", some.Take(8)) + (some.Length > 8 ? ", ..." : "");
    }

    private static ArgumentException Wrong(int place, string what) => new($"Detection {place} {what}.");
}
