using SegmentAnything.Annotations;
using SegmentAnything.Evaluation;

namespace SegmentAnything.Tasks;

/// <summary>How good the masks from boxes are, beside how good the boxes are: a mask cannot be better than its box.</summary>
public sealed class InstanceReport
{
    private readonly (string Shape, InstanceScores Scores)[] _rows;

    /// <summary>Compares instances with a set; by LVIS' rules where it is one.</summary>
    /// <param name="set">The objects.</param>
    /// <param name="detections">Instances with the box they were prompted with (<see cref="Detection.Box"/>) and the mask that it gave.</param>
    /// <param name="cancellationToken">Ends the comparison between two images.</param>
    /// <exception cref="ArgumentException">As for <see cref="InstanceEvaluation.Evaluate"/>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public InstanceReport(AnnotatedSet set, IReadOnlyList<Detection> detections, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(detections);
        InstanceEvaluationOptions options = set.IsLvis ? InstanceEvaluationOptions.Lvis : InstanceEvaluationOptions.Coco;
        // The masks' own areas: those of boxes would sort the masks' sizes as the detector's.
        Detection[] masks = [.. detections.Select(detection => detection with { Box = null })];
        var rows = new List<(string, InstanceScores)>();
        if (set.Evaluation.GroundTruths.All(truth => truth.Mask is not null))
            rows.Add(("masks", InstanceEvaluation.Evaluate(set.Evaluation, masks, options, cancellationToken)));
        rows.Add(("boxes given", InstanceEvaluation.Evaluate(set.Evaluation, detections, options with { Shape = ComparedShape.Box }, cancellationToken)));
        _rows = [.. rows];
    }

    /// <summary>The scores of the masks; null where not every object of the set has one.</summary>
    public InstanceScores? Masks => _rows.Length > 1 ? _rows[0].Scores : null;

    /// <summary>The scores of the boxes that the masks are from.</summary>
    public InstanceScores Boxes => _rows[^1].Scores;

    /// <summary>The numbers that the official code prints, as a Markdown table with a row for masks and one for boxes.</summary>
    public string ToMarkdown()
    {
        string[] names = [.. Boxes.Summary().Select(number => number.Name)];
        return $"| |{string.Concat(names.Select(name => $" {name} |"))}\n|---|{string.Concat(names.Select(_ => "---:|"))}\n"
            + string.Concat(_rows.Select(row => $"| {row.Shape} |{string.Concat(row.Scores.Summary().Select(number => FormattableString.Invariant($" {number.Value:0.000} |")))}\n"));
    }
}

/// <summary>Masks in the boxes of every image of a set.</summary>
public static class BoxInstanceEvaluation
{
    /// <summary>The boxes of a set's own objects, crowds left out: the upper bound of what any detector gives.</summary>
    /// <param name="set">The objects.</param>
    public static ILookup<long, DetectedBox> OwnBoxes(AnnotatedSet set)
    {
        ArgumentNullException.ThrowIfNull(set);
        return set.Images.SelectMany(image => image.Annotations).Where(annotation => !annotation.IsCrowd && (annotation.Box is not null || annotation.Mask is { IsEmpty: false }))
            .ToLookup(annotation => annotation.ImageId, annotation => new DetectedBox(BoxOf(annotation), annotation.CategoryId!.Value, 1));
    }

    /// <summary>The boxes of detections; that of the mask where a detection states none.</summary>
    /// <param name="detections">What a detector found.</param>
    public static ILookup<long, DetectedBox> BoxesOf(IReadOnlyList<Detection> detections)
    {
        ArgumentNullException.ThrowIfNull(detections);
        return detections.Where(detection => detection.Box is not null || detection.Mask is { IsEmpty: false }).ToLookup(
            detection => detection.ImageId,
            detection => new DetectedBox(detection.Box ?? FromMask(detection.Mask!.BoundingBox), detection.CategoryId, detection.Score));
    }

    /// <summary>Draws masks in the boxes and compares both with the set.</summary>
    /// <param name="model">The model.</param>
    /// <param name="set">The objects.</param>
    /// <param name="load">Gives the pixels of an image.</param>
    /// <param name="boxesOf">Gives the boxes of an image, whose pixels it gets as well. Boxes without a part in the image count as found, without a mask.</param>
    /// <param name="single">Whether the first prompt of each box asks for one mask, not for three of which the most confident is taken.</param>
    /// <param name="progress">Told after each image how many are done.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    /// <exception cref="ArgumentException">An image's pixels are of another size than the set says, or no box was given.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static InstanceReport Run(
        ISegmenter model, AnnotatedSet set, Func<AnnotationImage, PixelBuffer> load, Func<AnnotationImage, PixelBuffer, IEnumerable<DetectedBox>> boxesOf,
        bool single = false, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(load);
        ArgumentNullException.ThrowIfNull(boxesOf);
        var detections = new List<Detection>();
        int done = 0;
        foreach (ImageAnnotations image in set.Images)
        {
            PixelBuffer pixels = ClickEvaluation.Load(image.Image, load);
            DetectedBox[] boxes = [.. boxesOf(image.Image, pixels)];
            bool[] inside = [.. boxes.Select(box => IsWithin(box.Box, pixels.Size))];
            if (inside.Contains(true))
            {
                using ImageEmbedding embedding = model.Encode(pixels, cancellationToken);
                detections.AddRange(InstancesFromBoxes.Run(
                    model, embedding, [.. boxes.Where((_, i) => inside[i])], firstSelection: single ? MaskSelection.Single : MaskSelection.Multiple, cancellationToken: cancellationToken)
                    .Select(instance => instance.ToDetection(image.Image.Id) with { Box = instance.Detected.Box }));
            }

            detections.AddRange(boxes.Where((_, i) => !inside[i]).Select(box => new Detection(image.Image.Id, box.CategoryId, box.Score)
            {
                Box = box.Box,
                Mask = Rle.RleMask.Empty(pixels.Width, pixels.Height),
            }));
            progress?.Report(++done);
        }

        return detections.Count > 0 ? new InstanceReport(set, detections, cancellationToken) : throw new ArgumentException("No box was given or found in any image, so there is nothing to evaluate.");
    }

    /// <summary>Whether a part of a box is within an image.</summary>
    /// <param name="box">The box, in source-image pixels.</param>
    /// <param name="size">The image's size.</param>
    public static bool IsWithin(ObjectBox box, ImageSize size) =>
        Math.Min(size.Width, box.X + box.Width) > Math.Max(0, box.X) && Math.Min(size.Height, box.Y + box.Height) > Math.Max(0, box.Y);

    private static ObjectBox BoxOf(Annotation annotation) =>
        annotation.Box is { } box ? new ObjectBox(box.X, box.Y, box.Width, box.Height) : FromMask(annotation.Mask!.BoundingBox);

    private static ObjectBox FromMask(Rle.MaskBox box) => new(box.X, box.Y, box.Width, box.Height);
}
