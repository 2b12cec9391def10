using System.CommandLine;
using SegmentAnything.Annotations;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli;

/// <summary>A set that the command line names: annotations, and the pictures that they are of.</summary>
/// <param name="Name">What reports call it.</param>
/// <param name="Annotated">The annotations.</param>
/// <param name="Load">Reads the picture of one of its images.</param>
internal sealed record PictureSet(string Name, AnnotatedSet Annotated, Func<AnnotationImage, PixelBuffer> Load)
{
    /// <summary>The still life that the tool draws: four objects, whose masks are known to the pixel.</summary>
    public static PictureSet StillLife => new(
        SetOptions.StillLife,
        new AnnotatedSet(
            [
                new ImageAnnotations(
                    new AnnotationImage { Id = 1, FileName = "still-life.png", Width = Imaging.StillLife.Width, Height = Imaging.StillLife.Height },
                    [.. Imaging.StillLife.Objects.Select((o, i) => Annotation.From(RleMask.FromBitmap(o.Mask, Imaging.StillLife.Width, Imaging.StillLife.Height), i + 1, 1, i + 1))]),
            ],
            Imaging.StillLife.Objects.Select((o, i) => new AnnotationCategory { Id = i + 1, Name = o.Name })),
        _ => Imaging.StillLife.Image.ToPixelBuffer());
}

/// <summary>The option <c>--set NAME=FILE:IMAGES</c>, alike in every command that evaluates a model.</summary>
internal sealed class SetOptions
{
    /// <summary>Stands for the picture that the tool draws.</summary>
    public const string StillLife = "still-life";

    private readonly Option<string[]> _set = new("--set")
    {
        Description = "A set: its name, its annotations (COCO, LVIS, SA-1B, labelme, label maps or another form that convert-annotations reads), "
            + $"the folder of its pictures. {StillLife} alone is the picture that the tool draws. May be given several times.",
        HelpName = $"NAME=FILE:IMAGES|{StillLife}",
        Arity = ArgumentArity.OneOrMore,
        Required = true,
    };

    /// <summary>Adds the option to a command.</summary>
    public void AddTo(Command command) => command.Options.Add(_set);

    /// <summary>The files of the sets, so that nothing is written over them.</summary>
    /// <exception cref="UsageException">A set is malformed, or what it names is not there.</exception>
    public OutputFiles NoteInputs(ParseResult parsed, OutputFiles files)
    {
        foreach (string text in parsed.GetRequiredValue(_set).Where(text => text != StillLife))
        {
            (string name, string annotations, string images) = Split(text);
            files.Reads(annotations, $"the annotations of {name}").Reads(images, $"the pictures of {name}");
        }

        return files;
    }

    /// <summary>Reads the annotations of every set; their pictures are read when they are wanted.</summary>
    /// <exception cref="UsageException">A set is malformed, what it names is not there, or two have one name.</exception>
    public PictureSet[] Read(ParseResult parsed, PictureOptions pictures, Progress progress, CancellationToken cancellation)
    {
        string[] texts = parsed.GetRequiredValue(_set);
        PictureSet[] sets = [.. texts.Select(text => text == StillLife ? PictureSet.StillLife : ReadOne(text))];
        if (sets.GroupBy(set => set.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UsageException($"--set: two sets have the name '{twice.Key}'; give each its own.");
        return sets;

        PictureSet ReadOne(string text)
        {
            (string name, string annotations, string images) = Split(text);
            var folder = new ImageSizes(images, $"--set '{text}'");
            AnnotatedSet set = progress.Run($"Reading {annotations}", () => AnnotatedSet.Read(annotations, new AnnotationReadOptions { SizeOf = folder.Find }, cancellation));
            return new PictureSet(name, set, image =>
            {
                string path = folder.PathOf(image.FileName.Length > 0 ? image.FileName : $"{image.Id}")
                    ?? throw new FileNotFoundException($"{images} holds no picture '{image.FileName}', which is image {image.Id} of {annotations}.");
                return pictures.Load(path, parsed, progress, cancellation).ToPixelBuffer();
            });
        }
    }

    // A colon may also be a part of a path: the one that counts has something that is there on both sides.
    private static (string Name, string Annotations, string Images) Split(string text)
    {
        int equals = text.IndexOf('=');
        string name = equals > 0 ? text[..equals] : "", rest = text[(equals + 1)..];
        if (name.Length == 0 || !rest.Contains(':'))
            throw new UsageException($"--set '{text}': expected NAME=FILE:IMAGES, such as val=instances.json:val2017, or {StillLife}.");
        for (int colon = rest.LastIndexOf(':'); colon > 0; colon = rest.LastIndexOf(':', colon - 1))
        {
            if (Path.Exists(rest[..colon]) && Directory.Exists(rest[(colon + 1)..])) return (name, rest[..colon], rest[(colon + 1)..]);
        }

        int last = rest.LastIndexOf(':');
        throw new UsageException(Path.Exists(rest[..last])
            ? $"--set '{text}': there is no folder {rest[(last + 1)..]}."
            : $"--set '{text}': there is no file and no folder {rest[..last]}.");
    }
}

/// <summary>Says from time to time how many images of a set are done.</summary>
/// <param name="progress">Where to.</param>
/// <param name="what">What is done with them, and of which set.</param>
/// <param name="count">How many there are.</param>
internal sealed class ImageProgress(Progress progress, string what, int count) : IProgress<int>
{
    private const int Parts = 10;
    private int _said;

    /// <summary>Takes the number of images that are done.</summary>
    public void Report(int value)
    {
        if (value < count && value * Parts / count == _said) return;
        _said = value * Parts / count;
        progress.Say($"{what}: {value} of {count} images");
    }
}
