using System.Buffers.Binary;
using SegmentAnything.Annotations.Codecs;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>A label map: a PNG an image whose pixels are the numbers of the masks, from 1; 0 is background.</summary>
internal sealed class LabelMapFormat : PerImageFormat
{
    public override string Name => "label-map";

    public override string Description => "a 16-bit PNG an image: each pixel is the number of its mask, 0 is none";

    internal override Keeps Keeps => Keeps.Masks;

    protected override string Extension => ".png";

    protected override bool RecognisesFile(FileProbe probe) => GrayPng.HasSignature(probe.Path);

    protected override ImageAnnotations ReadFile(string path, ReadContext context)
    {
        (ushort[] values, int width, int height) = GrayPng.Read(InputFile.ReadAllBytes(path), path);
        return new ImageAnnotations(
            new AnnotationImage { FileName = Path.GetFileName(path), Width = width, Height = height },
            [.. LabelPixels.ToMasks(values, width, height).Select(pair => new Annotation { Id = pair.Key, Mask = pair.Value })]);
    }

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        (int width, int height) = (image.Image.Width, image.Image.Height);
        if (width == 0 || height == 0) throw new ArgumentException($"Image {image.Image.Id} has no size, and a label map needs one.", nameof(image));
        GrayPng.CheckPixels(width, height);
        var values = new ushort[width * height];
        List<(RleMask Mask, ushort Label)> masks = [];
        foreach (Annotation annotation in image.Annotations)
        {
            if (!context.Count(annotation, Keeps)) continue;
            if (masks.Count == ushort.MaxValue)
            {
                context.Losses.Add($"masks beyond the {ushort.MaxValue} that an image's pixels can tell apart");
                continue;
            }

            masks.Add((annotation.Mask!, (ushort)(masks.Count + 1)));
        }

        // Small ones above large ones, which would hide them.
        long covered = 0;
        foreach ((RleMask mask, ushort label) in masks.OrderByDescending(m => m.Mask.Area))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            covered += LabelPixels.Paint(mask, label, values);
        }

        context.Losses.Add("pixels of masks that lie under another mask", covered);
        using var file = new AtomicFile(path);
        GrayPng.Write(file.Stream, width, height, wide: true, (y, row) =>
        {
            for (int x = 0; x < width; x++) BinaryPrimitives.WriteUInt16BigEndian(row[(2 * x)..], values[((long)y * width) + x]);
        });
        file.Complete();
    }
}
