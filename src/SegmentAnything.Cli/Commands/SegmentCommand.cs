using System.CommandLine;
using SegmentAnything.Imaging;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>segment IMAGE</c>: masks for points and boxes.</summary>
internal static class SegmentCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> image = new("IMAGE") { Description = "An image file: JPEG, PNG, WebP, TIFF, GIF, AVIF." };
        Option<PointPrompt[]> points = PromptParser.CreatePointOption();
        Option<Box[]> boxes = PromptParser.CreateBoxOption();
        Option<bool> multimask = new("--multimask") { Description = "Three masks for each object: whole, part, subpart. The default for a single point." };
        Option<bool> single = new("--single") { Description = "One mask for each object. The default for everything but a single point." };
        Option<string?> json = new("--json") { Description = "Write the masks as JSON; - is standard output, the default unless --overlay is given.", HelpName = "FILE|-" };
        Option<string?> overlay = new("--overlay") { Description = "Draw the best mask of each object and the prompts over the picture; .jpg is written as JPEG.", HelpName = "FILE.png|FILE.jpg" };
        var model = new ModelOptions();
        var pictures = new PictureOptions();

        var command = new Command("segment", "Gives the masks of the objects that points and boxes show.") { image, points, boxes, multimask, single };
        model.AddTo(command);
        pictures.AddTo(command);
        command.Options.Add(json);
        command.Options.Add(overlay);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(image),
            parsed.GetValue(points) ?? [],
            parsed.GetValue(boxes) ?? [],
            Selection(parsed.GetValue(multimask), parsed.GetValue(single)),
            parsed.GetValue(json),
            parsed.GetValue(overlay),
            model,
            pictures,
            parsed,
            cancellation)));
        return command;
    }

    private static MaskSelection Selection(bool multimask, bool single) => (multimask, single) switch
    {
        (true, true) => throw new UsageException("--multimask and --single contradict each other; give one of them."),
        (true, false) => MaskSelection.Multiple,
        (false, true) => MaskSelection.Single,
        _ => MaskSelection.Auto,
    };

    private static int Run(
        string path, PointPrompt[] points, Box[] boxes, MaskSelection selection, string? json, string? overlay,
        ModelOptions model, PictureOptions pictures, ParseResult parsed, CancellationToken cancellation)
    {
        if (points.Length == 0 && boxes.Length == 0)
            throw new UsageException("Nothing says what to segment; give at least one --point X,Y or --box X0,Y0,X1,Y1.");
        var progress = new Progress(parsed.InvocationConfiguration.Error);
        Prompt[] prompts = PromptParser.Combine(points, boxes);
        OverlayFile.Check(overlay);
        model.NoteInputs(parsed, new OutputFiles().Reads(path, $"the picture {path}"))
            .Writes(json ?? (overlay is null ? "-" : null), $"--json {json ?? "-"}").Writes(overlay, $"--overlay {overlay}");
        LoadedImage picture = pictures.Load(path, parsed, progress, cancellation);
        using SamModel sam = model.Load(parsed, progress, cancellation);
        foreach (Prompt prompt in prompts) CheckInside(sam, prompt, picture);
        using ImageEmbedding embedding = progress.Run(
            $"Encoding {picture.Width}x{picture.Height} pixels", () => sam.Encode(picture.ToPixelBuffer(), cancellation));
        MaskPrediction[] predictions = progress.Run(
            prompts.Length == 1 ? "Decoding 1 prompt" : $"Decoding {prompts.Length} prompts",
            () => sam.Predict(embedding, prompts, selection, cancellation));

        if (json is not null || overlay is null)
        {
            ResultFile.Write(
                json ?? "-", MaskJson.Write(predictions.Zip(prompts).SelectMany(p => p.First.Select(mask => (mask, p.Second)))), parsed.InvocationConfiguration.Output);
        }

        if (overlay is not null)
        {
            OverlayFile.Write(overlay, MaskDrawing.Overlay(picture.ToPixelBuffer(), [.. predictions.Select(p => p.Best.Mask)], prompts));
            progress.Say($"Overlay: {overlay}");
        }

        return Tool.Success;
    }

    // Before the picture is encoded, which takes most of the time.
    private static void CheckInside(SamModel sam, Prompt prompt, LoadedImage picture) =>
        sam.PromptEncoder.Encode(prompt, new ImageSize(picture.Width, picture.Height));
}
