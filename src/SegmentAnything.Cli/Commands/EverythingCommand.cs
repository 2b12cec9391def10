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
        Option<string?> overlay = new("--overlay") { Description = "Draw the masks over the one image, small ones above large ones.", HelpName = "FILE.png" };
        Option<Box[]> region = PromptParser.CreateRegionOption();
        Option<string?> except = new("--except") { Description = $"Look only where the masks of a file are not, in the one image: {MaskFile.Description}.", HelpName = "FILE" };
        var settings = new GeneratorOptions();
        var model = new ModelOptions();

        var command = new Command("everything", "Finds every object in pictures, without prompts.") { images, folder, json, overlay, region, except };
        settings.AddTo(command);
        model.AddTo(command);
        command.SetAction((parsed, cancellation) => RunAsync(
            FindImages(parsed.GetRequiredValue(images), parsed.InvocationConfiguration.Error),
            parsed.GetValue(folder),
            parsed.GetValue(json),
            parsed.GetValue(overlay),
            ReadArea(parsed.GetValue(region), parsed.GetValue(except)),
            settings,
            model,
            parsed,
            cancellation));
        return command;
    }

    private static async Task<int> RunAsync(
        string[] paths, string? folder, string? json, string? overlay, SearchArea? area, GeneratorOptions settings, ModelOptions model, ParseResult parsed, CancellationToken cancellation)
    {
        if (paths.Length > 1 && (json is not null || overlay is not null))
            throw new UsageException("--json and --overlay are for one image; give --out FOLDER for several.");
        if (paths.Length > 1 && folder is null) throw new UsageException("There are several images; give --out FOLDER for their files.");
        if (paths.Length > 1 && area is not null) throw new UsageException("--region and --except are for one image.");
        if (folder is not null && paths.Contains(PictureFile.StandardInputName))
            throw new UsageException("The image of standard input has no name for files in --out; give --json and --overlay.");
        if (folder is null && overlay is null) json ??= "-";
        CheckNames(paths, folder);
        // Known before a model is loaded.
        _ = settings.Read(parsed, AutomaticMaskOptions.Default);
        if (folder is not null) Directory.CreateDirectory(folder);

        TextWriter error = parsed.InvocationConfiguration.Error;
        using SamModel sam = model.Load(parsed, new Progress(error), cancellation);
        var generator = new AutomaticMaskGenerator(sam, settings.Read(parsed, sam.AutomaticDefaults));
        List<string> failures = [];
        await GenerationProgress.RunAsync(error, paths, async progress =>
        {
            long number = 0;
            IEnumerable<Picture> pictures = paths.Select(path => new Picture(path));
            await foreach (ImageMasks<Picture> result in area is null
                ? generator.GenerateManyAsync(pictures, picture => picture.Load(), progress, cancellation)
                : GenerateInAsync(area, generator, pictures, progress, cancellation))
            {
                number++;
                string path = result.Source.Path;
                if (result.Masks is not { } masks)
                {
                    failures.Add(path);
                    progress.Fail(path, result.Error!.Message);
                    continue;
                }

                var image = new AnnotationImage
                {
                    Id = number,
                    Width = masks.ImageSize.Width,
                    Height = masks.ImageSize.Height,
                    FileName = Path.GetFileName(path),
                };
                string name = Path.GetFileNameWithoutExtension(path);
                if (folder is not null)
                {
                    WriteJson(Path.Combine(folder, name + ".json"), image, masks, parsed.InvocationConfiguration.Output);
                    WriteOverlay(Path.Combine(folder, name + ".png"), result.Source.Loaded!, masks);
                }

                if (json is not null) WriteJson(json, image, masks, parsed.InvocationConfiguration.Output);
                if (overlay is not null) WriteOverlay(overlay, result.Source.Loaded!, masks);
                progress.Finish(path, masks);
            }
        });

        if (failures.Count == 0) return Tool.Success;
        if (paths.Length > 1) error.WriteLine($"error: {failures.Count} of {paths.Length} images could not be read: {string.Join(", ", failures)}");
        return Tool.Failure;
    }

    private static SearchArea? ReadArea(Box[]? region, string? except)
    {
        if (region is not [_] && except is null) return null;
        RleMask[] masks = except is null ? [] : MaskFile.ReadAll(except);
        return new SearchArea { Region = region is [Box only] ? only : null, Excluded = masks.Length > 0 ? RleMask.Union(masks) : null };
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
                image = picture.Load();
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
                error.WriteLine($"{argument}: {others.Length} of {found.Length + others.Length} files are passed over, by their names no pictures: {string.Join(", ", others.Take(MostNames))}{more}");
            }

            paths.AddRange(found);
        }

        return [.. paths];
    }

    // Two images of one name would overwrite each other's files; an overlay must not overwrite its image.
    private static void CheckNames(string[] paths, string? folder)
    {
        if (folder is null) return;
        foreach (IGrouping<string?, string> group in paths.GroupBy(Path.GetFileNameWithoutExtension, StringComparer.OrdinalIgnoreCase))
        {
            if (group.Count() > 1) throw new UsageException($"These images would have the same files in {folder}: {string.Join(", ", group)}.");
        }

        foreach (string path in paths)
        {
            string overlay = Path.Combine(folder, Path.GetFileNameWithoutExtension(path) + ".png");
            if (string.Equals(Path.GetFullPath(path), Path.GetFullPath(overlay), StringComparison.OrdinalIgnoreCase))
                throw new UsageException($"The overlay of {path} would overwrite it; give another --out folder.");
        }
    }

    private static void WriteJson(string path, AnnotationImage image, GeneratedMasks masks, TextWriter output)
    {
        if (path != "-")
        {
            using var file = Sa1bWriter.Create(path, image);
            Write(file);
            return;
        }

        using var stream = new MemoryStream();
        using (var writer = Sa1bWriter.Create(stream, image)) Write(writer);
        output.WriteLine(Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length));

        void Write(Sa1bWriter writer)
        {
            foreach (GeneratedMask mask in masks) writer.Add(mask);
            writer.Complete();
        }
    }

    private static void WriteOverlay(string path, LoadedImage picture, GeneratedMasks masks) =>
        MaskDrawing.Overlay(picture.ToPixelBuffer(), [.. masks.Select(mask => mask.Mask)]).SavePng(path);

    /// <summary>An image on its way: its pixels are kept for the overlay.</summary>
    private sealed class Picture(string path)
    {
        public string Path => path;

        public LoadedImage? Loaded { get; private set; }

        public PixelBuffer Load() => (Loaded = PictureFile.Load(path)).ToPixelBuffer();
    }

    /// <summary>The generator's options, by the names of the reference. What is not given is the preset's.</summary>
    private sealed class GeneratorOptions
    {
        private readonly Option<string> _preset = new("--preset")
        {
            Description = "The settings that the others change: default, which are the model's own, or paper (crops and cleaning as for SA-1B; much slower).",
            DefaultValueFactory = _ => "default",
        };

        private readonly Option<int?> _pointsPerSide = new("--points-per-side") { Description = "Points along each side of the grid (32).", HelpName = "N" };
        private readonly Option<double?> _promptFraction = new("--prompt-fraction") { Description = "The part of the grid's points that is prompted (1); 0.33 finds nearly all in less than half of the time.", HelpName = "X" };
        private readonly Option<int?> _pointsPerBatch = new("--points-per-batch") { Description = "Points decoded at a time (64).", HelpName = "N" };
        private readonly Option<float?> _predIouThreshold = new("--pred-iou-thresh") { Description = "Least predicted IoU (0.88; of SAM 2 0.8).", HelpName = "X" };
        private readonly Option<float?> _stabilityThreshold = new("--stability-score-thresh") { Description = "Least stability score (0.95).", HelpName = "X" };
        private readonly Option<float?> _stabilityOffset = new("--stability-score-offset") { Description = "How far the cut-off is moved to measure stability (1).", HelpName = "X" };
        private readonly Option<double?> _boxNms = new("--box-nms-thresh") { Description = "Box IoU above which masks are duplicates (0.7).", HelpName = "X" };
        private readonly Option<int?> _cropLayers = new("--crop-n-layers") { Description = "Layers of crops beside the whole image (0).", HelpName = "N" };
        private readonly Option<double?> _cropNms = new("--crop-nms-thresh") { Description = "The same between crops (0.7).", HelpName = "X" };
        private readonly Option<double?> _cropOverlap = new("--crop-overlap-ratio") { Description = "By how much crops overlap, as a part of the shorter side (0.3413).", HelpName = "X" };
        private readonly Option<int?> _cropDownscale = new("--crop-n-points-downscale-factor") { Description = "By what the points per side are divided with each layer (1).", HelpName = "N" };
        private readonly Option<int?> _minArea = new("--min-mask-region-area") { Description = "Holes and islands of fewer pixels are cleaned away (0).", HelpName = "N" };

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_preset, _pointsPerSide, _promptFraction, _pointsPerBatch, _predIouThreshold, _stabilityThreshold, _stabilityOffset,
                _boxNms, _cropLayers, _cropNms, _cropOverlap, _cropDownscale, _minArea])
            {
                command.Options.Add(option);
            }

            _preset.AcceptOnlyFromAmong("default", "paper");
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
