using System.CommandLine;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>similar IMAGE --point X,Y</c>: the masks that are like one.</summary>
internal static class SimilarCommand
{
    private const double DefaultLeast = 0.8;

    // From this overlap on, a mask is the one that was asked for and not one like it.
    private const double SameMask = 0.7;

    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> image = new("IMAGE") { Description = $"An image file ({PictureFile.Description})." };
        Option<PointPrompt[]> points = PromptParser.CreatePointOption();
        Option<Box[]> boxes = PromptParser.CreateBoxOption();
        boxes.Arity = ArgumentArity.ZeroOrOne;
        Option<double?> least = OptionOf.Real("--at-least", "a cosine", -1.0, 1, $"How alike masks must be, 1 being the same ({DefaultLeast}).");
        Option<int?> most = OptionOf.Whole("--most", "masks", 1, 10_000, "Give so many masks at most, the most alike first; all where it is not given.");
        Option<string?> json = new("--json") { Description = "Write the masks as JSON; - is standard output, the default unless --overlay is given.", HelpName = "FILE|-" };
        Option<string?> overlay = new("--overlay") { Description = "Draw the mask, the masks like it and the prompt over the picture; .jpg is written as JPEG.", HelpName = "FILE.png|FILE.jpg" };
        var model = new ModelOptions();
        var pictures = new PictureOptions();
        var command = new Command("similar", "Finds the masks of a picture that are like the one at a point, as the image encoder sees them.") { image, points, boxes, least, most, json, overlay };
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(image), parsed.GetValue(points) ?? [], parsed.GetValue(boxes) ?? [], parsed.GetValue(least) ?? DefaultLeast, parsed.GetValue(most) ?? int.MaxValue,
            parsed.GetValue(json), parsed.GetValue(overlay), model, pictures, parsed, cancellation)));
        return command;
    }

    private static int Run(
        string path, PointPrompt[] points, Box[] boxes, double least, int most, string? json, string? overlay,
        ModelOptions model, PictureOptions pictures, ParseResult parsed, CancellationToken cancellation)
    {
        if (points.Length == 0 && boxes.Length == 0) throw new UsageException("Nothing says which mask others shall be like; give --point X,Y or --box X0,Y0,X1,Y1.");
        OverlayFile.Check(overlay);
        var progress = new Progress(parsed.InvocationConfiguration.Error);
        OutputFiles files = model.NoteInputs(parsed, new OutputFiles());
        if (path != PictureFile.StandardInputName) files.Reads(path, $"the picture {path}");
        json ??= overlay is null ? "-" : null;
        files.Writes(json, $"--json {json}").Writes(overlay, $"--overlay {overlay}");
        Prompt prompt = PromptParser.Combine(points, boxes, null)[0];
        LoadedImage picture = pictures.Load(path, parsed, progress, cancellation);
        using SamModel sam = model.Load(parsed, progress, cancellation);
        sam.PromptEncoder.Encode(prompt, new ImageSize(picture.Width, picture.Height), cancellationToken: cancellation); // says what lies outside, before the long work
        using ImageEmbedding embedding = progress.Run($"Encoding {picture.Width}x{picture.Height} pixels", () => sam.Encode(picture.ToPixelBuffer(), cancellation));
        using MaskPrediction prediction = sam.Predict(embedding, prompt, cancellationToken: cancellation);
        RleMask wanted = prediction.Best.Mask;
        if (wanted.IsEmpty) throw new InvalidOperationException("The mask at the prompt is empty, so no other is like it; give another point or a box.");
        GeneratedMask[] others = progress.Run("Finding every object", () => sam.GenerateMasks(embedding, cancellationToken: cancellation)
            .Where(mask => mask.Area > 0 && mask.Mask.IntersectionOverUnion(wanted) < SameMask).ToArray());
        (int Index, double Similarity)[] alike = [.. SimilarMasks.Rank(embedding, wanted, [.. others.Select(mask => mask.Mask)]).Where(pair => pair.Similarity >= least).Take(most)];
        progress.Say($"{alike.Length} of {others.Length} masks are like it.");
        if (json is not null) ResultFile.Write(json, MaskJson.WriteSimilar(alike.Select(pair => (others[pair.Index], pair.Similarity))), parsed.InvocationConfiguration.Output);
        if (overlay is not null)
        {
            OverlayFile.Write(overlay, MaskDrawing.Overlay(picture.ToPixelBuffer(), [wanted, .. alike.Select(pair => others[pair.Index].Mask)], [prompt]));
            progress.Say($"Overlay: {overlay}");
        }

        return Tool.Success;
    }
}
