namespace SegmentAnything.Annotations.Formats;

/// <summary>The SA-1B data set's files.</summary>
internal sealed class Sa1bFormat : PerImageFormat
{
    public override string Name => "sa-1b";

    public override string Description => "the SA-1B data set's JSON, a file an image";

    internal override Keeps Keeps => Keeps.Score | Keeps.ModelScores | Keeps.Crowds | Keeps.Other;

    protected override string Extension => ".json";

    protected override bool RecognisesFile(FileProbe probe) => probe.Has("image");

    protected override ImageAnnotations ReadFile(string path, ReadContext context)
    {
        using Sa1bReader reader = Sa1bReader.Open(path);
        ImageAnnotations image = reader.ReadImages(context.Cancellation).Single();
        context.Losses.Add(reader.Losses);
        // What the file says of itself goes with its one image.
        return reader.Other.Count == 0 ? image
            : image with { Image = image.Image with { Other = reader.Other.Concat(image.Image.Other).DistinctBy(p => p.Key).ToDictionary(StringComparer.Ordinal) } };
    }

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        using Sa1bWriter writer = Sa1bWriter.Create(path, image.Image);
        foreach (Annotation annotation in image.Annotations)
        {
            if (context.Count(annotation, Keeps)) writer.Add(annotation);
        }

        writer.Complete();
    }
}
