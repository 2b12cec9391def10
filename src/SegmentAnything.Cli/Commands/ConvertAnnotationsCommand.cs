using System.CommandLine;
using System.Globalization;
using SegmentAnything.Annotations;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>convert-annotations IN OUT --to FORMAT</c>: annotations of one form in another.</summary>
internal static class ConvertAnnotationsCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> input = new("IN") { Description = "Annotations: a file, or a folder of files." };
        Argument<string> output = new("OUT") { Description = "The file to write, or the folder where each image has a file of its own." };
        Option<string?> from = new("--from") { Description = $"The form of IN: {Names(f => f.CanRead)}. Recognised where it is not given.", HelpName = "FORM" };
        Option<string> to = new("--to") { Description = $"The form of OUT: {Names(f => f.CanWrite)}.", HelpName = "FORM", Required = true };
        Option<double?> tolerance = OptionOf.Real("--tolerance", "pixels", 0.0, 1e6, "How far polygons may lie from the mask's border, in pixels (0: exact).");
        Option<string?> images = ImageSizes.CreateOption();
        Option<string?> size = new("--size") { Description = "The size of pictures that neither the annotations nor --images know.", HelpName = "WIDTHxHEIGHT" };
        Option<bool> overwrite = new("--overwrite") { Description = "Replace what OUT holds." };
        var command = new Command("convert-annotations", "Turns annotations of one form into another, and says what is lost.")
        {
            input, output, from, to, tolerance, images, size, overwrite,
        };
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(input), parsed.GetRequiredValue(output), parsed.GetValue(from), parsed.GetRequiredValue(to),
            parsed.GetValue(tolerance) ?? 0, parsed.GetValue(images), ParseSize(parsed.GetValue(size)), parsed.GetValue(overwrite),
            parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, cancellation)));
        return command;
    }

    private static int Run(
        string input, string output, string? from, string to, double tolerance, string? images, (int Width, int Height)? size, bool overwrite,
        TextWriter text, TextWriter error, CancellationToken cancellation)
    {
        if (output == "-") output = OperatingSystem.IsWindows() ? throw new UsageException("OUT is -; give a file.") : "/dev/stdout";
        AnnotationFormat target = Find("--to", to, f => f.CanWrite);
        AnnotationFormat? source = from is null ? null : Find("--from", from, f => f.CanRead);
        if (!File.Exists(input) && !Directory.Exists(input)) throw new FileNotFoundException($"There is no file and no folder {input}.");
        // Label maps may be named as the pictures are, which would be lost.
        if (images is not null && (IsSame(images, output) || (output.EndsWith(".png", StringComparison.OrdinalIgnoreCase) && IsSame(images, Path.GetDirectoryName(Path.GetFullPath(output))!))))
            throw new UsageException($"{images} holds the pictures; give another folder.");
        bool keeps = FileStatus.Of(output) is not { Kind: FileKind.Device or FileKind.Pipe };
        if (!overwrite && keeps && (File.Exists(output) || (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())))
            throw new UsageException($"{output} is there already; give another name, or --overwrite.");
        // What is written there must be alone.
        if (AtomicFile.DescriptorOf(output) == 1) text = error;
        source ??= AnnotationFormat.Detect(input, cancellation);
        AnnotationConversionResult done = AnnotationConversion.Convert(
            input, source, output, target,
            new AnnotationReadOptions { SizeOf = images is null ? null : new ImageSizes(images).Find, Size = size },
            new AnnotationWriteOptions { PolygonTolerance = tolerance }, cancellation);
        text.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{source} to {target}: {done.Images} images, {done.Annotations} annotations: {done.Masks} masks, {done.EmptyMasks} without a pixel, {done.WithoutMask} without a mask."));
        if (done.Losses.IsEmpty) text.WriteLine("Nothing was lost.");
        foreach ((string what, long count) in done.Losses.Counts) text.WriteLine($"lost or changed: {count} {what}");
        return Tool.Success;
    }

    // By what the file system knows them as, links or not.
    private static bool IsSame(string folder, string other) =>
        FileStatus.Of(folder) is { } a && FileStatus.Of(other) is { } b && (a.Inode != 0 ? (a.Device, a.Inode) == (b.Device, b.Inode)
            : Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(other)));

    private static AnnotationFormat Find(string option, string name, Func<AnnotationFormat, bool> can) =>
        AnnotationFormat.All.FirstOrDefault(f => can(f) && string.Equals(f.Name, name, StringComparison.OrdinalIgnoreCase))
            ?? throw new UsageException($"{option} is \"{name}\"; one of {Names(can)} was expected.");

    private static string Names(Func<AnnotationFormat, bool> can) => string.Join(", ", AnnotationFormat.All.Where(can).Select(f => f.Name));

    private static (int Width, int Height)? ParseSize(string? text)
    {
        if (text is null) return null;
        string[] parts = text.Split('x', 'X');
        if (parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int width) && width > 0
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int height) && height > 0)
        {
            return (width, height);
        }

        throw new UsageException($"--size is \"{text}\"; WIDTHxHEIGHT in pixels was expected, such as 640x480.");
    }
}
