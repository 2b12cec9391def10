using SegmentAnything.Annotations;
using SegmentAnything.Evaluation;

namespace SegmentAnything.Tasks;

/// <summary>Simulated clicks on every object of a set.</summary>
public static class ClickEvaluation
{
    /// <summary>Clicks on the objects of a set, image by image; each image is encoded once.</summary>
    /// <param name="model">The model.</param>
    /// <param name="name">What the set is called in the report.</param>
    /// <param name="set">The objects.</param>
    /// <param name="load">Gives the pixels of an image.</param>
    /// <param name="options">How clicks are simulated; the defaults when null.</param>
    /// <param name="groupBy">The field by which objects are grouped (<see cref="AnnotatedSet.ValueOf"/>); null for none.</param>
    /// <param name="withBoxes">Whether each object is also segmented from the box around it (<see cref="EvaluatedObject.BoxQuality"/>).</param>
    /// <param name="progress">Told after each image how many are done.</param>
    /// <param name="cancellationToken">Looked at between prompts.</param>
    /// <returns>The objects, as they are done.</returns>
    /// <exception cref="ArgumentException">No object has a mask or none the field; an image's pixels are of another size than the set says.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IEnumerable<EvaluatedObject> Run(
        ISegmenter model, string name, AnnotatedSet set, Func<AnnotationImage, PixelBuffer> load, ClickSimulationOptions? options = null,
        string? groupBy = null, bool withBoxes = false, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(load);
        if (!set.Images.SelectMany(AnnotatedSet.ObjectsOf).Any())
            throw new ArgumentException($"{name}: no object of the set has a mask, so there is nothing to evaluate.", nameof(set));
        if (groupBy is not null && !set.Images.SelectMany(AnnotatedSet.ObjectsOf).Any(annotation => set.ValueOf(annotation, groupBy) is not null))
        {
            string[] fields = [.. set.Images.SelectMany(image => image.Annotations).SelectMany(annotation => annotation.Other.Keys).Distinct().Order(StringComparer.Ordinal)];
            throw new ArgumentException($"{name}: no object has the field '{groupBy}'. There are {string.Join(", ", fields.Append("category").Distinct().Take(20))}.", nameof(groupBy));
        }

        return Core();

        IEnumerable<EvaluatedObject> Core()
        {
            int done = 0;
            foreach (ImageAnnotations image in set.Images)
            {
                Annotation[] objects = [.. AnnotatedSet.ObjectsOf(image)];
                if (objects.Length > 0)
                {
                    using ImageEmbedding embedding = model.Encode(Load(image.Image, load), cancellationToken);
                    foreach (Annotation annotation in objects)
                    {
                        SimulatedObject result = ClickSimulation.Run(model, embedding, annotation.Mask!, null, annotation.Id!.Value, options, cancellationToken);
                        yield return new EvaluatedObject(name, image.Image.Id, annotation.Id.Value, result, groupBy is null ? null : set.ValueOf(annotation, groupBy))
                        {
                            BoxQuality = withBoxes ? FromBox(model, embedding, annotation, cancellationToken) : null,
                        };
                    }
                }

                progress?.Report(++done);
            }
        }
    }

    /// <summary>The pixels of an image, which must be as many as the annotations say.</summary>
    internal static PixelBuffer Load(AnnotationImage image, Func<AnnotationImage, PixelBuffer> load)
    {
        PixelBuffer pixels = load(image);
        return pixels.Width == image.Width && pixels.Height == image.Height
            ? pixels
            : throw new ArgumentException($"The picture of image {image.Id} '{image.FileName}' has {pixels.Size} pixels, but its annotations {image.Width}x{image.Height}.");
    }

    private static double FromBox(ISegmenter model, ImageEmbedding embedding, Annotation annotation, CancellationToken cancellationToken)
    {
        Rle.MaskBox box = annotation.Mask!.BoundingBox;
        var boxes = new DetectedBox[] { new(new ObjectBox(box.X, box.Y, box.Width, box.Height), annotation.CategoryId!.Value, 1) };
        return InstancesFromBoxes.Run(model, embedding, boxes, cancellationToken: cancellationToken)[0].Mask.IntersectionOverUnion(annotation.Mask);
    }
}
