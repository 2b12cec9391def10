using System.CommandLine;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>demo [IMAGE]</c>: the three kinds of prompt on one picture, one after the other.</summary>
internal static class DemoCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string?> image = new("IMAGE") { Description = "A picture; without one, a still life is drawn.", Arity = ArgumentArity.ZeroOrOne };
        Option<PointPrompt[]> point = PromptParser.CreatePointOption();
        point.Description = "The first click; the middle of the picture where none is given.";
        point.HelpName = "X,Y";
        point.Arity = ArgumentArity.ZeroOrOne;
        Option<Box[]> box = PromptParser.CreateBoxOption();
        box.Description = "The box; the one around the best mask of the first click where none is given.";
        box.Arity = ArgumentArity.ZeroOrOne;
        Option<string> output = new("--output")
        {
            Description = "The folder for the drawings.",
            HelpName = "FOLDER",
            DefaultValueFactory = _ => "segment-anything-demo",
        };
        var model = new ModelOptions();
        var pictures = new PictureOptions();

        var command = new Command("demo", "Shows a point, a box and a refinement on one picture.") { image, point, box, output };
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetValue(image), parsed.GetValue(point), parsed.GetValue(box), parsed.GetRequiredValue(output), model, pictures, parsed, cancellation)));
        return command;
    }

    private static int Run(
        string? path, PointPrompt[]? clicks, Box[]? boxes, string folder, ModelOptions model, PictureOptions pictures, ParseResult parsed, CancellationToken cancellation)
    {
        TextWriter output = parsed.InvocationConfiguration.Output;
        var progress = new Progress(parsed.InvocationConfiguration.Error);
        StillLifeObject? mug = path is null ? StillLife.Objects.Single(o => o.Name == "mug") : null;
        LoadedImage picture = path is null ? StillLife.Image : pictures.Load(path, parsed, progress, cancellation);
        RleMask? truth = mug is null ? null : RleMask.FromBitmap(mug.Mask, picture.Width, picture.Height);
        (float x, float y) = clicks is [{ } click] ? (click.X, click.Y)
            : mug is not null ? (mug.ClickX, mug.ClickY)
            : (picture.Width / 2f, picture.Height / 2f);

        OutputFiles outputs = model.NoteInputs(parsed, new OutputFiles());
        if (path is null) outputs.Writes(Path.Combine(folder, "still-life.png"), $"the drawing still-life.png in --output {folder}");
        else outputs.Reads(path, $"the picture {path}");
        foreach (string name in (string[])["point", "point-1", "point-2", "point-3", "box", "refined"])
            outputs.Writes(Path.Combine(folder, name + ".png"), $"the drawing {name}.png in --output {folder}");
        using SamModel sam = model.Load(parsed, progress, cancellation);
        using ImageEmbedding embedding = progress.Run(
            $"Encoding {picture.Width}x{picture.Height} pixels, once", () => sam.Encode(picture.ToPixelBuffer(), cancellation));
        List<string> files = [];
        MaskPrediction Show(string name, string title, Prompt prompt)
        {
            MaskPrediction masks = progress.Run($"Decoding: {title}", () => sam.Predict(embedding, prompt, cancellationToken: cancellation));
            output.WriteLine($"{title}: {prompt}");
            for (int i = 0; i < masks.Count; i++)
            {
                string file = Path.Combine(folder, masks.Count == 1 ? $"{name}.png" : $"{name}-{i + 1}.png");
                MaskDrawing.Overlay(picture.ToPixelBuffer(), [masks[i].Mask], [prompt]).SavePng(file);
                files.Add(file);
                string fit = truth is null ? "" : $", IoU with the drawn {mug!.Name} {masks[i].Mask.IntersectionOverUnion(truth):0.000}";
                output.WriteLine(
                    $"  {Path.GetFileName(file),-12} {masks[i].Mask.Area,8} pixels, predicted IoU {masks[i].PredictedIou:0.000}, stability {masks[i].StabilityScore:0.000}{fit}");
            }

            return masks;
        }

        if (path is null)
        {
            string file = Path.Combine(folder, "still-life.png");
            ImageFile.SavePng(file, picture.Pixels, picture.Width, picture.Height);
            files.Add(file);
        }

        // One click may mean the whole, a part, or a part of the part: three masks, the likeliest first.
        Prompt first = Prompt.Point(x, y);
        MaskPrediction point = Show("point", "A point", first);

        // A box says which.
        MaskBox around = point.Best.Mask.BoundingBox;
        if (boxes is [Box given]) Show("box", "A box", Prompt.FromBox(given));
        else if (!around.IsEmpty) Show("box", "A box", Prompt.Box(around.X, around.Y, around.Right, around.Bottom));

        // And so does a second click. Say that the likeliest mask but the largest is meant: the click goes where only the
        // largest is, and the logits of the mask so far go along.
        PredictedMask whole = point.MaxBy(m => m.Mask.Area)!;
        PredictedMask meant = point.FirstOrDefault(m => m.Mask.Area < whole.Mask.Area) ?? point.Best;
        if (InmostPoint(whole.Mask, meant.Mask) is { } off)
            Show("refined", "Refined by a second click", first.AndPoint(off.X, off.Y, foreground: false).AndMask(meant.LowResLogits));

        output.WriteLine("Drawings:");
        foreach (string file in files) output.WriteLine($"  {file}");
        return Tool.Success;
    }

    // The pixel that is in one mask but not in the other and lies farthest from where that stops being so; null where
    // there is none to speak of.
    private static (float X, float Y)? InmostPoint(RleMask mask, RleMask without)
    {
        (int width, int height) = (mask.Width, mask.Height);
        byte[] inside = mask.ToBitmap(), excluded = without.ToBitmap();
        int[] depth = new int[width * height];
        for (int i = 0; i < depth.Length; i++) depth[i] = inside[i] > excluded[i] ? int.MaxValue - 1 : 0;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                Lower(x, y, -1);
        (int best, int deepest) = (-1, 2);
        for (int y = height - 1; y >= 0; y--)
        {
            for (int x = width - 1; x >= 0; x--)
            {
                Lower(x, y, 1);
                if (depth[(y * width) + x] > deepest) (best, deepest) = ((y * width) + x, depth[(y * width) + x]);
            }
        }

        return best < 0 ? null : ((best % width) + 0.5f, (best / width) + 0.5f);

        void Lower(int x, int y, int step)
        {
            int beside = x + step >= 0 && x + step < width ? depth[(y * width) + x + step] : 0;
            int above = y + step >= 0 && y + step < height ? depth[((y + step) * width) + x] : 0;
            ref int d = ref depth[(y * width) + x];
            d = Math.Min(d, Math.Min(beside, above) + 1);
        }
    }
}
