using System.CommandLine;
using System.Runtime.CompilerServices;
using System.Text;
using SegmentAnything.Annotations;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>everything IMAGE...</c>: every object, without prompts.</summary>
internal static class EverythingCommand
{
    // Files that are named before the rest is only counted.
    private const int MostNames = 10;

    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string[]> images = new("IMAGE")
        {
            Description = $"Image files ({PictureFile.Description}), or folders of such files.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string?> folder = new("--out") { Description = "Write NAME.json and the overlay NAME.png of each image into this folder.", HelpName = "FOLDER" };
        Option<string?> json = new("--json") { Description = "Write the masks of the one image in SA-1B form; - is standard output, the default unless --out or --overlay is given.", HelpName = "FILE|-" };
        Option<string?> overlay = new("--overlay") { Description = "Draw the masks over the one image, small ones above large ones; .jpg is written as JPEG.", HelpName = "FILE.png|FILE.jpg" };
        Option<Box[]> region = PromptParser.CreateRegionOption();
        Option<string?> except = new("--except") { Description = $"Look only where the masks of a file are not, in the one image: {MaskFile.Description}.", HelpName = "FILE" };
        Option<bool> overwrite = new("--overwrite") { Description = "Replace files in --out that this tool did not write, or that were changed since." };
        Option<bool> resume = new("--resume") { Description = "Pass over images whose files in --out are there already, of the same image, model and settings." };
        var settings = new GeneratorOptions();
        var model = new ModelOptions();
        var pictures = new PictureOptions();

        var command = new Command("everything", "Finds every object in pictures, without prompts.") { images, folder, json, overlay, region, except, overwrite, resume };
        settings.AddTo(command);
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => RunAsync(
            FindImages(parsed.GetRequiredValue(images), parsed.InvocationConfiguration.Error),
            new Destination(parsed.GetValue(folder), parsed.GetValue(json), parsed.GetValue(overlay), parsed.GetValue(overwrite), parsed.GetValue(resume)),
            parsed.GetValue(region) is [Box only] ? only : null,
            parsed.GetValue(except),
            settings,
            model,
            pictures,
            parsed,
            cancellation));
        return command;
    }

    // Where the results go.
    private sealed record Destination(string? Folder, string? Json, string? Overlay, bool Overwrite, bool Resume);

    private static async Task<int> RunAsync(
        string[] paths, Destination to, Box? region, string? except, GeneratorOptions settings, ModelOptions model, PictureOptions pictures, ParseResult parsed, CancellationToken cancellation)
    {
        if (paths.Length > 1 && (to.Json is not null || to.Overlay is not null))
            throw new UsageException("--json and --overlay are for one image; give --out FOLDER for several.");
        if (paths.Length > 1 && to.Folder is null) throw new UsageException("There are several images; give --out FOLDER for their files.");
        if (paths.Length > 1 && (region is not null || except is not null)) throw new UsageException("--region and --except are for one image.");
        if (to.Folder is not null && paths.Contains(PictureFile.StandardInputName))
            throw new UsageException("The image of standard input has no name for files in --out; give --json and --overlay.");
        if (to.Folder is null && (to.Overwrite || to.Resume)) throw new UsageException("--overwrite and --resume are about the files in --out FOLDER; give it.");
        if (to.Folder is null && to.Overlay is null && to.Json is null) to = to with { Json = "-" };
        OverlayFile.Check(to.Overlay);
        CheckNames(paths, to, except, model, parsed);
        SearchArea? area = ReadArea(region, except);
        // Known before a model is loaded.
        _ = settings.Read(parsed, AutomaticMaskOptions.Default);
        TextWriter output = parsed.InvocationConfiguration.Output, error = parsed.InvocationConfiguration.Error;
        RunRecord? record = to.Folder is null ? null : new RunRecord(Directory.CreateDirectory(to.Folder).FullName);
        Dictionary<string, string> settingsOf = paths.Distinct().ToDictionary(path => path, path => SettingsOf(path, region, except, settings, model, pictures, parsed));
        int all = paths.Length;
        if (record is not null)
        {
            if (to.Resume) paths = [.. paths.Where(path => !record.IsDone(Path.GetFileName(path), settingsOf[path], NameOf(path, ".json"), NameOf(path, ".png")))];
            if (paths.Length < all) error.WriteLine($"{all - paths.Length} of {all} images are done already.");
            if (!to.Overwrite) CheckOthersFiles(paths, to.Folder!, record);
        }

        if (paths.Length == 0) return Tool.Success;
        ImageReadOptions reading = pictures.Read(parsed);
        List<string> failures = [];
        int done = 0;
        try
        {
            using SamModel sam = model.Load(parsed, new Progress(error), cancellation);
            var generator = new AutomaticMaskGenerator(sam, settings.Read(parsed, sam.AutomaticDefaults));
            await GenerationProgress.RunAsync(error, paths, async progress =>
            {
                long number = 0;
                IEnumerable<Picture> sources = paths.Select(path => new Picture(path, reading));
                await foreach (ImageMasks<Picture> result in area is null
                    ? generator.GenerateManyAsync(sources, picture => picture.Load(cancellation), progress, cancellation)
                    : GenerateInAsync(area, generator, sources, progress, cancellation))
                {
                    number++;
                    string path = result.Source.Path;
                    if (result.Masks is not { } masks)
                    {
                        failures.Add(path);
                        progress.Fail(path, result.Error!.Message);
                        continue;
                    }

                    LoadedImage picture = result.Source.Loaded!;
                    if (PictureOptions.HintOf(picture) is { } hint) progress.Say($"{path}: {hint}");
                    var image = new AnnotationImage
                    {
                        Id = number,
                        Width = masks.ImageSize.Width,
                        Height = masks.ImageSize.Height,
                        FileName = Path.GetFileName(path),
                    };
                    byte[] written = Json(image, masks);
                    record?.Write(Path.GetFileName(path), settingsOf[path], (NameOf(path, ".json"), written), (NameOf(path, ".png"), Draw(picture, masks).ToPng()));
                    if (to.Json == "-") output.WriteLine(Encoding.UTF8.GetString(written));
                    else if (to.Json is not null) AtomicFile.Write(to.Json, written);
                    if (to.Overlay is not null) OverlayFile.Write(to.Overlay, Draw(picture, masks));
                    progress.Finish(path, masks);
                    done++;
                }
            });
        }
        catch (OperationCanceledException) when (record is not null && all > 1)
        {
            throw new ResumableException($"cancelled: {all - paths.Length + done} of {all} images are done; the same command with --resume does the rest", cancellation);
        }

        if (failures.Count == 0) return Tool.Success;
        if (paths.Length > 1) error.WriteLine($"error: {failures.Count} of {paths.Length} images could not be read: {string.Join(", ", failures.Select(PrintableWriter.Show))}");
        return Tool.Failure;
    }

    private static SearchArea? ReadArea(Box? region, string? except)
    {
        if (region is null && except is null) return null;
        RleMask[] masks = except is null ? [] : MaskFile.ReadAll(except);
        return new SearchArea { Region = region, Excluded = masks.Length > 0 ? RleMask.Union(masks) : null };
    }

    private static async IAsyncEnumerable<ImageMasks<Picture>> GenerateInAsync(
        SearchArea area, AutomaticMaskGenerator generator, IEnumerable<Picture> pictures, GenerationProgress progress,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (Picture picture in pictures)
        {
            PixelBuffer image = default;
            Exception? unreadable = null;
            try
            {
                image = picture.Load(cancellation);
            }
            catch (ImageFileException e)
            {
                unreadable = e;
            }

            yield return unreadable is not null
                ? new ImageMasks<Picture>(picture, null, unreadable)
                : new ImageMasks<Picture>(picture, await Task.Run(() => generator.Generate(image, area, progress, cancellation), CancellationToken.None), null);
        }
    }

    // In folders names decide, also of formats that this libvips may lack: those fail, each with the reason. What is passed
    // over is told.
    private static string[] FindImages(string[] arguments, TextWriter error)
    {
        string[] extensions = [
            ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".bmp"];
        List<string> paths = [];
        foreach (string argument in arguments)
        {
            if (!Directory.Exists(argument))
            {
                paths.Add(argument);
                continue;
            }

            ILookup<bool, string> files = Directory.EnumerateFiles(argument).Order(StringComparer.Ordinal)
                .ToLookup(file => extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase));
            string[] found = [.. files[true]], others = [.. files[false].Select(file => Path.GetFileName(file)!)];
            if (found.Length == 0) throw new UsageException($"The folder {argument} holds no {string.Join(", ", extensions)} files.");
            if (others.Length > 0)
            {
                string more = others.Length > MostNames ? $" and {others.Length - MostNames} more" : "";
                error.WriteLine($"{PrintableWriter.Show(argument)}: {others.Length} of {found.Length + others.Length} files are passed over, by their names no pictures: {string.Join(", ", others.Take(MostNames).Select(PrintableWriter.Show))}{more}");
            }

            paths.AddRange(found);
        }

        return [.. paths];
    }

    // Two images of one name would have the same files; and nothing that is written may be something that is read.
    private static void CheckNames(string[] paths, Destination to, string? except, ModelOptions model, ParseResult parsed)
    {
        OutputFiles files = model.NoteInputs(parsed, new OutputFiles());
        foreach (string path in paths.Where(path => path != PictureFile.StandardInputName)) files.Reads(path, $"the picture {path}");
        if (except is not null) files.Reads(except, $"--except {except}");
        if (to.Folder is not null)
        {
            foreach (IGrouping<string?, string> group in paths.GroupBy(Path.GetFileNameWithoutExtension, StringComparer.OrdinalIgnoreCase))
            {
                if (group.Count() > 1) throw new UsageException($"These images would have the same files in {to.Folder}: {string.Join(", ", group)}.");
            }

            if (File.Exists(to.Folder)) throw new UsageException($"--out {to.Folder}: is a file; give a folder.");
            foreach (string path in paths)
            {
                foreach (string ending in (string[])[".json", ".png"])
                    files.Writes(Path.Combine(to.Folder, NameOf(path, ending)), $"{NameOf(path, ending)} in --out {to.Folder}");
            }
        }

        files.Writes(to.Json, $"--json {to.Json}").Writes(to.Overlay, $"--overlay {to.Overlay}");
    }

    // A file beside a picture may be somebody's work: labelme's annotations have the picture's name, and so have SA-1B's.
    private static void CheckOthersFiles(string[] paths, string folder, RunRecord record)
    {
        string[] others = [.. paths.SelectMany(path => (string[])[NameOf(path, ".json"), NameOf(path, ".png")]).Where(name => !record.MayWrite(name))];
        if (others.Length == 0) return;
        string more = others.Length > MostNames ? $" and {others.Length - MostNames} more" : "";
        throw new UsageException(
            $"{folder} holds files that this tool did not write there, or that were changed since: {string.Join(", ", others.Take(MostNames))}{more}. Give another --out folder, or --overwrite.");
    }

    private static string NameOf(string path, string ending) => Path.GetFileNameWithoutExtension(path) + ending;

    // What the results depend on; another of any of it, and they are made again.
    private static string SettingsOf(string path, Box? region, string? except, GeneratorOptions settings, ModelOptions model, PictureOptions pictures, ParseResult parsed)
    {
        FileStatus? file = FileStatus.Of(path), known = except is null ? null : FileStatus.Of(except);
        return RunRecord.SettingsOf(
            Path.GetFullPath(path), $"{file?.Length} {file?.Modified} {region} {except} {known?.Length} {known?.Modified}", model.NameOf(parsed), pictures.Read(parsed).ToString(), settings.Read(parsed, AutomaticMaskOptions.Default).ToString());
    }

    private static byte[] Json(AnnotationImage image, GeneratedMasks masks)
    {
        using var stream = new MemoryStream();
        using (var writer = Sa1bWriter.Create(stream, image))
        {
            foreach (GeneratedMask mask in masks) writer.Add(mask);
            writer.Complete();
        }

        return stream.ToArray();
    }

    private static LoadedImage Draw(LoadedImage picture, GeneratedMasks masks) =>
        MaskDrawing.Overlay(picture.ToPixelBuffer(), [.. masks.Select(mask => mask.Mask)]);

    /// <summary>An image on its way: its pixels are kept for the overlay.</summary>
    private sealed class Picture(string path, ImageReadOptions options)
    {
        public string Path => path;

        public LoadedImage? Loaded { get; private set; }

        public PixelBuffer Load(CancellationToken cancellation) => (Loaded = PictureFile.Load(path, options, cancellation)).ToPixelBuffer();
    }

    /// <summary>The generator's options, by the names of the reference. What is not given is the preset's.</summary>
    private sealed class GeneratorOptions
    {
        private readonly Option<string> _preset = OptionOf.Word(
            "--preset", "The settings that the others change: default, which are the model's own, or paper (crops and cleaning as for SA-1B; much slower).",
            "default", "paper");

        // Limits are those of AutomaticMaskOptions.Validate, which has the last word.
        private readonly Option<int?> _pointsPerSide = OptionOf.Whole("--points-per-side", "points", 1, 4096, "Points along each side of the grid (32).");
        private readonly Option<double?> _promptFraction = OptionOf.Real("--prompt-fraction", "a part of the points", 0.0, 1, "The part of the grid's points that is prompted (1); 0.33 finds nearly all in less than half of the time.");
        private readonly Option<int?> _pointsPerBatch = OptionOf.Whole("--points-per-batch", "points", 1, 2048, "Points decoded at a time (64).");
        private readonly Option<float?> _predIouThreshold = OptionOf.Real("--pred-iou-thresh", "a predicted IoU", 0f, 10, "Least predicted IoU (0.88; of SAM 2 0.8).");
        private readonly Option<float?> _stabilityThreshold = OptionOf.Real("--stability-score-thresh", "a stability score", 0f, 1, "Least stability score (0.95).");
        private readonly Option<float?> _stabilityOffset = OptionOf.Real("--stability-score-offset", "a distance of logits", 0f, 1000, "How far the cut-off is moved to measure stability (1).");
        private readonly Option<double?> _boxNms = OptionOf.Real("--box-nms-thresh", "an IoU of boxes", 0.0, 1, "Box IoU above which masks are duplicates (0.7).");
        private readonly Option<int?> _cropLayers = OptionOf.Whole("--crop-n-layers", "layers", 0, 6, "Layers of crops beside the whole image (0).");
        private readonly Option<double?> _cropNms = OptionOf.Real("--crop-nms-thresh", "an IoU of boxes", 0.0, 1, "The same between crops (0.7).");
        private readonly Option<double?> _cropOverlap = OptionOf.Real("--crop-overlap-ratio", "a part of the shorter side", 0.0, 1, "By how much crops overlap, as a part of the shorter side (0.3413).");
        private readonly Option<int?> _cropDownscale = OptionOf.Whole("--crop-n-points-downscale-factor", "parts", 1, 4096, "By what the points per side are divided with each layer (1).");
        private readonly Option<int?> _minArea = OptionOf.Whole("--min-mask-region-area", "pixels", 0, int.MaxValue, "Holes and islands of fewer pixels are cleaned away (0).");

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_preset, _pointsPerSide, _promptFraction, _pointsPerBatch, _predIouThreshold, _stabilityThreshold, _stabilityOffset,
                _boxNms, _cropLayers, _cropNms, _cropOverlap, _cropDownscale, _minArea])
            {
                command.Options.Add(option);
            }
        }

        /// <summary>Reads the options.</summary>
        /// <param name="parsed">The command line.</param>
        /// <param name="defaults">Those of the model's family.</param>
        public AutomaticMaskOptions Read(ParseResult parsed, AutomaticMaskOptions defaults)
        {
            AutomaticMaskOptions preset = parsed.GetRequiredValue(_preset) == "paper" ? AutomaticMaskOptions.Paper : defaults;
            AutomaticMaskOptions options = preset with
            {
                PointsPerSide = parsed.GetValue(_pointsPerSide) ?? preset.PointsPerSide,
                PromptFraction = parsed.GetValue(_promptFraction) ?? preset.PromptFraction,
                PointsPerBatch = parsed.GetValue(_pointsPerBatch) ?? preset.PointsPerBatch,
                PredIouThreshold = parsed.GetValue(_predIouThreshold) ?? preset.PredIouThreshold,
                StabilityScoreThreshold = parsed.GetValue(_stabilityThreshold) ?? preset.StabilityScoreThreshold,
                StabilityScoreOffset = parsed.GetValue(_stabilityOffset) ?? preset.StabilityScoreOffset,
                BoxNmsThreshold = parsed.GetValue(_boxNms) ?? preset.BoxNmsThreshold,
                CropLayers = parsed.GetValue(_cropLayers) ?? preset.CropLayers,
                CropNmsThreshold = parsed.GetValue(_cropNms) ?? preset.CropNmsThreshold,
                CropOverlapRatio = parsed.GetValue(_cropOverlap) ?? preset.CropOverlapRatio,
                CropPointsDownscaleFactor = parsed.GetValue(_cropDownscale) ?? preset.CropPointsDownscaleFactor,
                MinMaskRegionArea = parsed.GetValue(_minArea) ?? preset.MinMaskRegionArea,
            };
            try
            {
                options.Validate();
            }
            catch (ArgumentException e)
            {
                throw new UsageException(e.Message.Split(" (Parameter")[0]);
            }

            return options;
        }
    }
}
