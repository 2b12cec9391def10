using System.CommandLine;
using System.Globalization;
using SegmentAnything.Annotations;
using SegmentAnything.Detection;
using SegmentAnything.Evaluation;
using SegmentAnything.Imaging;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>instances IMAGE --boxes FILE|--detector MODEL.onnx</c>: a mask for each box.</summary>
internal static class InstancesCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> image = new("IMAGE") { Description = $"An image file ({PictureFile.Description})." };
        Option<string?> boxes = new("--boxes") { Description = "The boxes: COCO results, or annotations of another form.", HelpName = "FILE" };
        Option<long?> imageId = OptionOf.Whole<long>("--image-id", "an image's number", 0, long.MaxValue, "Which image of --boxes IMAGE is, where that is not told by its name or by being the only one.");
        Option<bool> single = new("--single") { Description = "Ask for one mask a box at first, not for three of which the most confident is taken." };
        Option<string?> json = new("--json") { Description = "Write the instances as COCO results; - is standard output, the default unless --overlay is given.", HelpName = "FILE|-" };
        Option<string?> overlay = new("--overlay") { Description = "Draw masks and boxes over the picture; .jpg is written as JPEG.", HelpName = "FILE.png|FILE.jpg" };
        var detector = new DetectorOption();
        var model = new ModelOptions();
        var pictures = new PictureOptions();

        var command = new Command("instances", "Draws a mask for each box that a detector found.") { image, boxes, imageId, single, json, overlay };
        detector.AddTo(command);
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(image), parsed.GetValue(boxes), parsed.GetValue(imageId), parsed.GetValue(single), parsed.GetValue(json), parsed.GetValue(overlay),
            detector, model, pictures, parsed, cancellation)));
        return command;
    }

    private static int Run(
        string path, string? boxFile, long? imageId, bool single, string? json, string? overlay,
        DetectorOption detector, ModelOptions model, PictureOptions pictures, ParseResult parsed, CancellationToken cancellation)
    {
        string? detectorFile = detector.PathOf(parsed);
        if ((boxFile is null) == (detectorFile is null)) throw new UsageException("Boxes come from --boxes FILE or from --detector MODEL.onnx; give one of them.");
        OverlayFile.Check(overlay);
        var progress = new Progress(parsed.InvocationConfiguration.Error);
        OutputFiles files = model.NoteInputs(parsed, new OutputFiles());
        if (path != PictureFile.StandardInputName) files.Reads(path, $"the picture {path}");
        if (boxFile is not null) files.Reads(boxFile, $"--boxes {boxFile}");
        if (detectorFile is not null) files.Reads(detectorFile, $"--detector {detectorFile}");
        json ??= overlay is null ? "-" : null;
        files.Writes(json, $"--json {json}").Writes(overlay, $"--overlay {overlay}");

        LoadedImage picture = pictures.Load(path, parsed, progress, cancellation);
        (long id, DetectedBox[] boxes) = boxFile is null ? (imageId ?? 1, Detect(detectorFile!)) : ReadBoxes(boxFile, path, imageId, picture, cancellation);
        DetectedBox[] inside = [.. boxes.Where(box => BoxInstanceEvaluation.IsWithin(box.Box, new ImageSize(picture.Width, picture.Height)))];
        if (inside.Length < boxes.Length) progress.Say($"{boxes.Length - inside.Length} boxes have no part within the picture and are left out.");
        IReadOnlyList<BoxInstance> instances = [];
        if (inside.Length > 0)
        {
            using SamModel sam = model.Load(parsed, progress, cancellation);
            using ImageEmbedding embedding = progress.Run($"Encoding {picture.Width}x{picture.Height} pixels", () => sam.Encode(picture.ToPixelBuffer(), cancellation));
            instances = progress.Run(inside.Length == 1 ? "Decoding 1 box" : $"Decoding {inside.Length} boxes", () => InstancesFromBoxes.Run(
                sam, embedding, inside, firstSelection: single ? MaskSelection.Single : MaskSelection.Multiple, cancellationToken: cancellation));
        }
        else
        {
            progress.Say($"{path}: there is no box, so there is no instance.");
        }

        if (json is not null) Write(json, path, id, picture, instances, parsed.InvocationConfiguration.Output);
        if (overlay is not null)
        {
            OverlayFile.Write(overlay, MaskDrawing.Overlay(picture.ToPixelBuffer(), [.. instances.Select(i => i.Mask)], [.. instances.Select(i => Prompt.FromBox(ToBox(i.Detected.Box)))]));
            progress.Say($"Overlay: {overlay}");
        }

        return Tool.Success;

        DetectedBox[] Detect(string file)
        {
            using ObjectDetector loaded = detector.Load(file, parsed, progress);
            IReadOnlyList<DetectedObject> found = progress.Run("Detecting", () => loaded.Detect(picture.ToPixelBuffer(), cancellation));
            foreach (DetectedObject each in found) progress.Say(string.Create(CultureInfo.InvariantCulture, $"{loaded.NameOf(each.Class)} {each.Score:0.00} {each.Box}"));
            return [.. found.Select(each => new DetectedBox(FromBox(each.Box), each.Class, each.Score))];
        }
    }

    private static (long Id, DetectedBox[] Boxes) ReadBoxes(string file, string path, long? imageId, LoadedImage picture, CancellationToken cancellation)
    {
        using AnnotationReader reader = AnnotationFormat.Detect(file, cancellation).OpenRead(file, new AnnotationReadOptions { Size = (picture.Width, picture.Height) });
        ImageAnnotations[] images = [.. reader.ReadImages(cancellation)];
        ImageAnnotations[] named = [.. images.Where(image => Path.GetFileName(image.Image.FileName) == Path.GetFileName(path))];
        ImageAnnotations chosen = imageId is { } id
            ? images.FirstOrDefault(image => image.Image.Id == id) ?? throw new UsageException($"--image-id {id}: {file} has no such image; its images are {Some(images)}.")
            : images is [var only] ? only
            : named is [var one] ? one
            : throw new UsageException($"{file} has boxes of {images.Length} images, and none is told to be {path} by its name; give --image-id, one of {Some(images)}.");
        return (chosen.Image.Id, [.. BoxInstanceEvaluation.BoxesOf([.. AnnotatedSet.ToDetections(chosen)])[chosen.Image.Id]]);
    }

    private static string Some(ImageAnnotations[] images) =>
        images.Length == 0 ? "none" : string.Join(", ", images.Take(8).Select(image => image.Image.Id)) + (images.Length > 8 ? ", ..." : "");

    private static void Write(string json, string path, long id, LoadedImage picture, IReadOnlyList<BoxInstance> instances, TextWriter output)
    {
        // The writer of annotations writes files; what goes to standard output is a file first.
        string file = json == "-" ? Path.Combine(Directory.CreateTempSubdirectory("segment-anything-").FullName, "results.json") : json;
        try
        {
            using (AnnotationWriter writer = AnnotationFormat.Find("coco-results").CreateWriter(file))
            {
                writer.Add(
                    new ImageAnnotations(
                        new AnnotationImage { Id = id, FileName = Path.GetFileName(path), Width = picture.Width, Height = picture.Height },
                        [.. instances.Select(instance => Annotation.From(instance.Mask, null, id, instance.Detected.CategoryId) with
                        {
                            Score = instance.Detected.Score,
                            PredictedIou = instance.PredictedIou,
                        })]),
                    new Dictionary<long, AnnotationCategory>());
                writer.Complete();
            }

            if (json == "-") output.Write(File.ReadAllText(file));
        }
        finally
        {
            if (json == "-") Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        }
    }

    /// <summary>A detector's box as ground truth has it.</summary>
    internal static ObjectBox FromBox(Box box) => new(box.X0, box.Y0, box.Width, box.Height);

    private static Box ToBox(ObjectBox box) => new((float)box.X, (float)box.Y, (float)(box.X + box.Width), (float)(box.Y + box.Height));
}
