using System.CommandLine;
using SegmentAnything.Annotations;
using SegmentAnything.Detection;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli.Commands.Evaluate;

/// <summary><c>evaluate instances</c>: average precision of the masks in a detector's boxes, beside that of the boxes.</summary>
internal static class EvaluateInstancesCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Option<string?> boxes = new("--boxes") { Description = "A detector's boxes as COCO results. Without boxes and detector: those of the objects themselves, the upper bound.", HelpName = "FILE" };
        Option<bool> single = new("--single") { Description = "Ask for one mask a box at first, not for three of which the most confident is taken." };
        var set = new SetOptions();
        var detector = new DetectorOption();
        var model = new ModelOptions();
        var pictures = new PictureOptions();
        var command = new Command("instances", "Average precision of the masks in boxes, and of the boxes.") { boxes, single };
        set.AddTo(command);
        detector.AddTo(command);
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            (string? boxFile, string? detectorFile) = (parsed.GetValue(boxes), detector.PathOf(parsed));
            if (boxFile is not null && detectorFile is not null) throw new UsageException("Boxes come from --boxes FILE or from --detector MODEL.onnx; give one of them.");
            var progress = new Progress(parsed.InvocationConfiguration.Error);
            PictureSet[] sets = set.Read(parsed, pictures, progress, cancellation);
            if (boxFile is not null && sets.Length > 1) throw new UsageException("--boxes are of one set; give one --set.");
            ILookup<long, DetectedBox>? given = boxFile is null ? null : BoxInstanceEvaluation.BoxesOf(AnnotatedSet.ReadDetections(boxFile, cancellationToken: cancellation));
            using ObjectDetector? loaded = detectorFile is null ? null : detector.Load(detectorFile, parsed, progress);
            using SamModel sam = model.Load(parsed, progress, cancellation);
            TextWriter output = parsed.InvocationConfiguration.Output;
            foreach (PictureSet one in sets)
            {
                Func<AnnotationImage, PixelBuffer, IEnumerable<DetectedBox>> boxesOf = loaded is not null
                    ? BoxesOf(loaded, one, progress, cancellation)
                    : BoxesOf(one, given, boxFile);
                InstanceReport report = BoxInstanceEvaluation.Run(
                    sam, one.Annotated, one.Load, boxesOf, parsed.GetValue(single), new ImageProgress(progress, one.Name, one.Annotated.Images.Count), cancellation);
                if (sets.Length > 1) output.Write($"### {one.Name}\n\n");
                output.Write(report.ToMarkdown());
                output.Write(given is null && loaded is null ? "\nThe boxes are those of the objects themselves: an upper bound.\n" : "");
                if (sets.Length > 1) output.Write("\n");
            }

            return Task.FromResult(Tool.Success);
        });
        return command;
    }

    private static Func<AnnotationImage, PixelBuffer, IEnumerable<DetectedBox>> BoxesOf(PictureSet set, ILookup<long, DetectedBox>? given, string? file)
    {
        ILookup<long, DetectedBox> boxes = given ?? BoxInstanceEvaluation.OwnBoxes(set.Annotated);
        HashSet<long> known = [.. set.Annotated.Images.Select(image => image.Image.Id)];
        foreach (IGrouping<long, DetectedBox> image in boxes)
        {
            if (!known.Contains(image.Key))
                throw new UsageException($"{file} has boxes in image {image.Key}, which {set.Name} has not: its images are {known.Min()} to {known.Max()}. Are the boxes of another set?");
        }

        return (image, _) => boxes[image.Id];
    }

    // A detector numbers classes in its own way; names are what both sides have.
    private static Func<AnnotationImage, PixelBuffer, IEnumerable<DetectedBox>> BoxesOf(ObjectDetector detector, PictureSet set, Progress progress, CancellationToken cancellation)
    {
        var byName = set.Annotated.Categories.Values.GroupBy(category => category.Name, StringComparer.OrdinalIgnoreCase).ToDictionary(group => group.Key, group => group.First().Id, StringComparer.OrdinalIgnoreCase);
        string[] names = [.. detector.Classes.OrderBy(pair => pair.Key).Select(pair => pair.Value)], shared = [.. names.Where(byName.ContainsKey)];
        if (shared.Length == 0)
        {
            throw new UsageException(
                $"The detector and {set.Name} have no class in common: the detector has {(names.Length == 0 ? "no names" : string.Join(", ", names.Take(8)))}, the set {string.Join(", ", byName.Keys.Take(8))}.");
        }

        if (shared.Length < byName.Count) progress.Say($"{set.Name}: the detector knows {shared.Length} of {byName.Count} categories; objects of the others cannot be found.");
        return (_, pixels) => detector.Detect(pixels, cancellation).Where(found => byName.ContainsKey(detector.NameOf(found.Class)))
            .Select(found => new DetectedBox(InstancesCommand.FromBox(found.Box), byName[detector.NameOf(found.Class)], found.Score));
    }
}
