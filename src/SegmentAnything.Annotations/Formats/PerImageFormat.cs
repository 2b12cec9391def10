namespace SegmentAnything.Annotations.Formats;

/// <summary>A format of one file a picture: a file of it is read and written, and a folder of such files.</summary>
internal abstract class PerImageFormat : AnnotationFormat
{
    /// <summary>The extension of its files, with the point.</summary>
    protected abstract string Extension { get; }

    /// <summary>Reads a file.</summary>
    protected abstract ImageAnnotations ReadFile(string path, ReadContext context);

    /// <summary>Writes a file, which appears when it is complete.</summary>
    protected abstract void WriteFile(string path, ImageAnnotations image, WriteContext context);

    /// <summary>Whether a file, and not a folder, is of this format.</summary>
    protected abstract bool RecognisesFile(FileProbe probe);

    /// <summary>The files of a folder.</summary>
    protected virtual IEnumerable<string> FindFiles(string folder) =>
        Directory.EnumerateFiles(folder).Where(f => f.EndsWith(Extension, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal);

    /// <summary>What is read before the files of a folder.</summary>
    protected virtual void BeginReading(string folder, ReadContext context)
    {
    }

    /// <summary>What is written after the files of a folder.</summary>
    protected virtual void EndWriting(string folder, IReadOnlyList<string> classNames)
    {
    }

    /// <summary>Whether a path is for one picture's file; a device and a pipe are.</summary>
    protected virtual bool IsFile(string path) =>
        (path.EndsWith(Extension, StringComparison.OrdinalIgnoreCase) && !Directory.Exists(path)) || FileStatus.Of(path) is { Kind: FileKind.Device or FileKind.Pipe };

    /// <summary>Whether a picture has a folder of its own in place of a file.</summary>
    protected virtual bool WritesFolders => false;

    /// <summary>The path of a picture's file in a folder.</summary>
    protected virtual string PathOf(string folder, string name) => Path.Combine(folder, name + Extension);

    internal override bool Recognises(FileProbe probe)
    {
        // The first of a folder may hold nothing that tells.
        const int MostFiles = 16;
        return probe.IsFolder
            ? FindFiles(probe.Path).Take(MostFiles).Any(file => RecognisesFile(FileProbe.Of(file, probe.Cancellation)))
            : RecognisesFile(probe);
    }

    internal override AnnotationReader Open(string path, AnnotationReadOptions options) => new PlainReader(Read, path, options);

    internal override AnnotationWriter Create(string path, AnnotationWriteOptions options) => new Writer(this, path, options);

    private IEnumerable<ImageAnnotations> Read(ReadContext context)
    {
        bool folder = Directory.Exists(context.Path);
        string[] files = folder ? [.. FindFiles(context.Path)] : [context.Path];
        if (files.Length == 0) throw new AnnotationFormatException($"{context.Path}: the folder holds no {Extension} file");
        BeginReading(folder ? context.Path : Path.GetDirectoryName(Path.GetFullPath(context.Path))!, context);
        HashSet<long> taken = [];
        foreach (string file in files)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            ImageAnnotations image = ReadFile(file, context);
            // Files that know nothing of each other may have one number, or none.
            long id = image.Image.Id;
            bool named = image.Image.Id != 0 || files.Length == 1;
            if (!named || !taken.Add(id))
            {
                if (named) context.Losses.Add("image numbers that several files have, replaced");
                id = 1;
                while (!taken.Add(id)) id = Math.Max(taken.Count + 1, id + 1);
            }

            yield return id == image.Image.Id
                ? image : new ImageAnnotations(image.Image with { Id = id }, [.. image.Annotations.Select(a => a with { ImageId = id })]);
        }
    }

    private sealed class Writer : AnnotationWriter
    {
        private readonly PerImageFormat _format;
        private readonly string _path;
        private readonly AnnotationWriteOptions _options;
        private readonly bool _isFile;
        private readonly Dictionary<string, string> _written = new(StringComparer.OrdinalIgnoreCase);
        private readonly List<string> _classNames = [];
        private bool _completed;

        public Writer(PerImageFormat format, string path, AnnotationWriteOptions options)
        {
            (_format, _path, _options) = (format, path, options);
            _isFile = format.IsFile(path);
            if (!_isFile) Directory.CreateDirectory(path);
        }

        public override void Add(ImageAnnotations image, IReadOnlyDictionary<long, AnnotationCategory> categories, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(image);
            ArgumentNullException.ThrowIfNull(categories);
            if (_completed) throw new InvalidOperationException("The files are complete already.");
            if (_isFile && _written.Count > 0)
                throw new InvalidOperationException($"There are several images, and {_format.Name} has a file for each; give a folder in place of {_path}.");
            WriteContext.CheckSizes(image);
            string name = WriteContext.NameOf(image.Image), shown = image.Image.FileName.Length > 0 ? image.Image.FileName : $"image {image.Image.Id}";
            if (!_written.TryAdd(name, shown))
                throw new ArgumentException($"{_written[name]} and {shown} would have the same file {name}{_format.Extension}.", nameof(image));
            if (_classNames.Count == 0) _classNames.AddRange(categories.OrderBy(c => c.Key).Select(c => c.Value.Name).Where(n => n.Length > 0).Distinct());
            string path = _isFile ? _path : _format.PathOf(_path, name);
            _options.Protected?.Check(path, _format.WritesFolders);
            _format.WriteFile(path, image, new WriteContext(_options, categories, Losses, cancellationToken) { ClassNames = _classNames });
        }

        public override void Complete()
        {
            if (_completed) throw new InvalidOperationException("The files are complete already.");
            if (_isFile && _written.Count == 0) throw new InvalidOperationException($"There is no image to write to {_path}.");
            _completed = true;
            _format.EndWriting(_isFile ? Path.GetDirectoryName(Path.GetFullPath(_path))! : _path, _classNames);
        }

        // Each file is complete when its image was added.
        private protected override void Dispose(bool disposing)
        {
        }
    }
}
