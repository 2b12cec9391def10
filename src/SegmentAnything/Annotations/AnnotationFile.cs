using SegmentAnything.Annotations;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>What a file of annotations is.</summary>
public enum AnnotationFormat
{
    /// <summary>One image and its masks, as the SA-1B data set has them.</summary>
    Sa1b,

    /// <summary>COCO instances: many images, their objects, and categories.</summary>
    Coco,
}

/// <summary>Does with files of either form what is alike in both.</summary>
public static class AnnotationFile
{
    /// <summary>Says what a file is, from the names of its properties.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="AnnotationFormatException">It is neither.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static AnnotationFormat DetectFormat(string path)
    {
        using var reader = new JsonObjectReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1));
        while (reader.Read())
        {
            if (!reader.IsElement && reader.Property == "image") return AnnotationFormat.Sa1b;
            if (reader.IsElement && reader.Property is "images" or "categories") return AnnotationFormat.Coco;
        }

        throw new AnnotationFormatException(
            $"{path} has neither an \"image\" (SA-1B) nor \"images\" or \"categories\" (COCO): it is no file of annotations that is understood.");
    }

    /// <summary>Adds the masks of a file to statistics.</summary>
    /// <param name="path">A file of either form.</param>
    /// <param name="statistics">Where they are added.</param>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <exception cref="AnnotationFormatException">The file is of neither form, or malformed.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static void AddTo(MaskStatistics statistics, string path, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(statistics);
        if (DetectFormat(path) == AnnotationFormat.Sa1b)
        {
            using var reader = Sa1bReader.Open(path);
            int masks = 0;
            foreach (Sa1bAnnotation annotation in reader.ReadAnnotations())
            {
                cancellationToken.ThrowIfCancellationRequested();
                statistics.AddMask(annotation.Segmentation);
                masks++;
            }

            statistics.AddImage(masks);
            return;
        }

        // Polygons need the size of their image, and images may come after annotations: two passes.
        Dictionary<long, CocoImage> images;
        using (var reader = CocoReader.Open(path))
        {
            foreach (CocoAnnotation _ in reader.ReadAnnotations()) cancellationToken.ThrowIfCancellationRequested();
            images = new(reader.Images);
        }

        Dictionary<long, int> masksOf = images.Keys.ToDictionary(id => id, _ => 0);
        using (var reader = CocoReader.Open(path))
        {
            foreach (CocoAnnotation annotation in reader.ReadAnnotations())
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!images.TryGetValue(annotation.ImageId, out CocoImage? image))
                    throw new AnnotationFormatException($"{path}: annotation {annotation.Id} is of image {annotation.ImageId}, which the file does not have.");
                statistics.AddMask(MaskOf(annotation, image, path));
                masksOf[image.Id]++;
            }
        }

        foreach (int masks in masksOf.Values) statistics.AddImage(masks);
    }

    private static RleMask MaskOf(CocoAnnotation annotation, CocoImage image, string path)
    {
        try
        {
            return annotation.Segmentation.ToMask(image.Width, image.Height);
        }
        catch (Exception e) when (e is RleFormatException or ArgumentException)
        {
            throw new AnnotationFormatException($"{path}: annotation {annotation.Id}: {e.Message}", innerException: e);
        }
    }
}
