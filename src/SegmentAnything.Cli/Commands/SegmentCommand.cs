using System.CommandLine;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>segment IMAGE</c>: masks for points and boxes.</summary>
internal static class SegmentCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> image = new("IMAGE") { Description = $"An image file ({PictureFile.Description})." };
        Option<PointPrompt[]> points = PromptParser.CreatePointOption();
        Option<Box[]> boxes = PromptParser.CreateBoxOption();
        Option<string?> mask = new("--mask") { Description = $"A rough mask of the object, alone or with points and a box: {MaskFile.Description}.", HelpName = "FILE" };
        Option<float?> cutoff = OptionOf.Real("--cutoff", "a logit", -1000f, 1000, "The logit above which a pixel is mask (0); higher gives less of it.");
        Option<bool> multimask = new("--multimask") { Description = "Three masks for each object: whole, part, subpart. The default for a single point." };
        Option<bool> single = new("--single") { Description = "One mask for each object. The default for everything but a single point." };
        Option<string?> json = new("--json") { Description = "Write the masks as JSON; - is standard output, the default unless --overlay is given.", HelpName = "FILE|-" };
        Option<string?> overlay = new("--overlay") { Description = "Draw the best mask of each object and the prompts over the picture; .jpg is written as JPEG.", HelpName = "FILE.png|FILE.jpg" };
        var model = new ModelOptions();
        var pictures = new PictureOptions();

        var command = new Command("segment", "Gives the masks of the objects that points, boxes and rough masks show.") { image, points, boxes, mask, multimask, single, cutoff };
        model.AddTo(command);
        pictures.AddTo(command);
        command.Options.Add(json);
        command.Options.Add(overlay);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(image),
            parsed.GetValue(points) ?? [],
            parsed.GetValue(boxes) ?? [],
            parsed.GetValue(mask),
            parsed.GetValue(cutoff),
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
        string path, PointPrompt[] points, Box[] boxes, string? maskPath, float? cutoff, MaskSelection selection, string? json, string? overlay,
        ModelOptions model, PictureOptions pictures, ParseResult parsed, CancellationToken cancellation)
    {
        if (points.Length == 0 && boxes.Length == 0 && maskPath is null)
            throw new UsageException("Nothing says what to segment; give at least one --point X,Y, --box X0,Y0,X1,Y1 or --mask FILE.");
        if (maskPath is not null && boxes.Length > 1) throw new UsageException("--mask is a mask of one object; give one --box with it at most.");
        var progress = new Progress(parsed.InvocationConfiguration.Error);
        OverlayFile.Check(overlay);
        OutputFiles files = model.NoteInputs(parsed, new OutputFiles());
        if (path != PictureFile.StandardInputName) files.Reads(path, $"the picture {path}");
        if (maskPath is not null) files.Reads(maskPath, $"--mask {maskPath}");
        files.Writes(json ?? (overlay is null ? "-" : null), $"--json {json ?? "-"}").Writes(overlay, $"--overlay {overlay}");
        RleMask? mask = maskPath is null ? null : MaskFile.Read(maskPath);
        Prompt[] prompts = PromptParser.Combine(points, boxes, mask);
        LoadedImage picture = pictures.Load(path, parsed, progress, cancellation);
        using SamModel sam = model.Load(parsed, progress, cancellation);
        foreach (Prompt prompt in prompts) CheckInside(sam, prompt, picture);
        using ImageEmbedding embedding = progress.Run(
            $"Encoding {picture.Width}x{picture.Height} pixels", () => sam.Encode(picture.ToPixelBuffer(), cancellation));
        MaskPrediction[] predictions = progress.Run(
            prompts.Length == 1 ? "Decoding 1 prompt" : $"Decoding {prompts.Length} prompts",
            () => sam.Predict(embedding, prompts, selection, cancellation));
        if (cutoff is { } logit) predictions = [.. predictions.Select(prediction => Cut(sam, embedding, prediction, logit))];

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

    private static MaskPrediction Cut(SamModel sam, ImageEmbedding embedding, MaskPrediction prediction, float cutoff) => new(
        prediction.Select(mask => new PredictedMask(
            sam.CutLogits(embedding, mask.LowResLogits, cutoff), mask.PredictedIou, mask.StabilityScore, mask.LowResLogits, mask.MaskToken)),
        prediction.ObjectScore);

    // Before the picture is encoded, which takes most of the time.
    private static void CheckInside(SamModel sam, Prompt prompt, LoadedImage picture) =>
        sam.PromptEncoder.Encode(prompt, new ImageSize(picture.Width, picture.Height));
}
