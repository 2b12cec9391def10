using System.Text.Json;
using SegmentAnything.Annotations.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>
/// A list of masks of one image: of the official automatic generator (<c>amg.py --convert-to-rle</c>), or of the tool's own
/// command <c>segment --json</c>. They differ in their boxes: the first leaves out the last column and row.
/// </summary>
internal sealed class MaskListFormat(bool official) : PerImageFormat
{
    public override string Name => official ? "amg" : "segment";

    public override string Description => official ? "the official automatic generator's list of masks, a file an image" : "what `segment-anything segment --json` writes";

    public override bool CanWrite => official;

    internal override Keeps Keeps => Keeps.ModelScores;

    protected override string Extension => ".json";

    protected override bool RecognisesFile(FileProbe probe) =>
        probe.IsEmptyList ? official
            : probe.IsJsonList && probe.ElementHas("segmentation") && !probe.ElementHas("image_id") && probe.ElementHas("prompt") != official;

    protected override ImageAnnotations ReadFile(string path, ReadContext context)
    {
        List<Annotation> annotations = [];
        RleMask? first = null;
        using var pieces = JsonPieceReader.Open(path);
        while (pieces.Read(context.Cancellation))
        {
            if (pieces.Property.Length > 0) throw pieces.Fail("the file is an object; a list of masks was expected", 0);
            if (pieces.Kind != PieceKind.Element) continue;
            Annotation annotation = AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) =>
                AnnotationJson.ReadAnnotation(ref reader).Finish(0, first?.Width ?? 0, first?.Height ?? 0, inclusiveBox: official, context.Losses, context.Cancellation), "mask");
            first ??= annotation.Mask;
            annotations.Add(annotation);
        }

        var image = new AnnotationImage { FileName = Path.GetFileNameWithoutExtension(path), Width = first?.Width ?? 0, Height = first?.Height ?? 0 };
        return new ImageAnnotations(image, annotations);
    }

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        using var file = new AtomicJsonFile(path);
        Utf8JsonWriter json = file.Json;
        json.WriteStartArray();
        foreach (Annotation annotation in image.Annotations)
        {
            if (!context.Count(annotation, Keeps)) continue;
            AnnotationJson.CheckFinite(annotation);
            json.WriteStartObject();
            json.WritePropertyName("segmentation"u8);
            SegmentationJson.Write(json, annotation.Mask!);
            json.WriteNumber("area"u8, annotation.AreaOrMaskArea);
            AnnotationJson.WriteRectangle(json, "bbox", Sa1bWriter.Inclusive(annotation));
            AnnotationJson.WriteNumber(json, "predicted_iou", annotation.PredictedIou);
            AnnotationJson.WritePoints(json, annotation.Points);
            AnnotationJson.WriteNumber(json, "stability_score", annotation.StabilityScore);
            AnnotationJson.WriteRectangle(json, "crop_box", annotation.CropBox);
            json.WriteEndObject();
            file.FlushIfLarge();
        }

        json.WriteEndArray();
        file.Complete();
    }
}
