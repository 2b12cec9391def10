using System.CommandLine;
using SegmentAnything.Imaging;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>edges IMAGE --out FILE.png</c>: how strong an edge is at each pixel.</summary>
internal static class EdgesCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> image = new("IMAGE") { Description = $"An image file ({PictureFile.Description}), or a folder of such files." };
        Option<string> output = new("--out") { Description = "The picture to write, 0 for no edge to 255; for a folder, the folder where each picture has one.", HelpName = "FILE.png|FOLDER", Required = true };
        var settings = new EdgeOptions();
        var model = new ModelOptions();
        var pictures = new PictureOptions();
        var command = new Command("edges", "Finds edges: where the masks from a grid of points end.") { image, output };
        settings.AddTo(command);
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(image), parsed.GetRequiredValue(output), settings.Read(parsed), model, pictures, parsed, cancellation)));
        return command;
    }

    private static int Run(string path, string output, EdgeDetectionOptions options, ModelOptions model, PictureOptions pictures, ParseResult parsed, CancellationToken cancellation)
    {
        var progress = new Progress(parsed.InvocationConfiguration.Error);
        OutputFiles files = model.NoteInputs(parsed, new OutputFiles());
        (string Picture, string Edges)[] work;
        if (Directory.Exists(path))
        {
            if (File.Exists(output)) throw new UsageException($"--out {output}: is a file, but {path} is a folder of pictures; give a folder.");
            work = [.. ImageSizes.FilesOf(path).Select(picture => (picture, Path.Combine(output, Path.GetFileNameWithoutExtension(picture) + ".png")))];
            if (work.Length == 0) throw new UsageException($"{path} holds no picture.");
            foreach ((string picture, _) in work) files.Reads(picture, $"the picture {picture}");
        }
        else
        {
            if (path != PictureFile.StandardInputName) files.Reads(path, $"the picture {path}");
            if (!Path.GetExtension(output).Equals(".png", StringComparison.OrdinalIgnoreCase)) throw new UsageException($"--out '{output}': edges are written as PNG; give a name that ends in .png.");
            work = [(path, output)];
        }

        foreach ((_, string edges) in work) files.Writes(edges, $"--out {edges}");
        using SamModel sam = model.Load(parsed, progress, cancellation);
        foreach ((string picture, string edges) in work)
        {
            LoadedImage loaded = pictures.Load(picture, parsed, progress, cancellation);
            EdgeMap map = progress.Run($"{picture}: edges", () => Detect(sam, loaded.ToPixelBuffer(), options, cancellation));
            ImageFile.SavePng(edges, map.ToLevels(), map.Width, map.Height);
        }

        return Tool.Success;
    }

    /// <summary>The edges of a picture.</summary>
    internal static EdgeMap Detect(SamModel model, PixelBuffer pixels, EdgeDetectionOptions options, CancellationToken cancellation)
    {
        using ImageEmbedding embedding = model.Encode(pixels, cancellation);
        return EdgeDetection.Detect(model, embedding, options, cancellationToken: cancellation);
    }
}

/// <summary>How edges are found, alike in every command that finds them.</summary>
internal sealed class EdgeOptions
{
    private readonly Option<string> _nms = OptionOf.Word("--edge-nms", "How edges are made thin: what is strongest across them (canny), or not at all (none).", "canny", "none");
    private readonly Option<int?> _points = OptionOf.Whole("--points-per-side", "points", 1, 256, $"Points along one side of the grid ({EdgeDetectionOptions.Default.PointsPerSide}).");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_nms);
        command.Options.Add(_points);
    }

    /// <summary>What the command line says.</summary>
    public EdgeDetectionOptions Read(ParseResult parsed) => EdgeDetectionOptions.Default with
    {
        Nms = parsed.GetRequiredValue(_nms) == "none" ? EdgeNms.None : EdgeNms.Canny,
        PointsPerSide = parsed.GetValue(_points) ?? EdgeDetectionOptions.Default.PointsPerSide,
    };
}
