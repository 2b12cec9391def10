using SegmentAnything.Checkpoints;

namespace SegmentAnything;

/// <summary>Where one model's files are: in a folder, at paths, in memory. Nothing is read before the model is loaded.</summary>
public sealed class ModelFiles
{
    private readonly Dictionary<ModelFileRole, Location> _locations;

    private ModelFiles(Dictionary<ModelFileRole, Location> locations) => _locations = locations;

    /// <summary>What the files are for that are here.</summary>
    public IReadOnlyCollection<ModelFileRole> Roles => _locations.Keys;

    /// <summary>Takes a model's files from a folder, by the names that the model gives them.</summary>
    /// <param name="folder">The folder that holds them.</param>
    /// <param name="variant">What the files are of.</param>
    /// <exception cref="ModelNotFoundException">A file is not there.</exception>
    /// <remarks>
    /// Their contents are not compared with the hashes of <paramref name="variant"/>: a folder may hold weights that were
    /// trained further.
    /// </remarks>
    public static ModelFiles FromFolder(string folder, SamVariant variant)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentNullException.ThrowIfNull(variant);
        return FromPaths(variant.Files.Select(f => (f.Role, Path.Combine(folder, f.FileName))), variant.DisplayName);
    }

    /// <summary>Takes an image encoder and a mask decoder, both as ONNX, from two paths.</summary>
    /// <param name="encoder">The path of the image encoder.</param>
    /// <param name="decoder">The path of prompt encoder and mask decoder.</param>
    /// <exception cref="ModelNotFoundException">A file is not there.</exception>
    public static ModelFiles FromPaths(string encoder, string decoder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(encoder);
        ArgumentException.ThrowIfNullOrWhiteSpace(decoder);
        return FromPaths([(ModelFileRole.Encoder, encoder), (ModelFileRole.Decoder, decoder)], "the model");
    }

    /// <summary>Takes all weights from one checkpoint.</summary>
    /// <param name="path">The path of the checkpoint.</param>
    /// <exception cref="ModelNotFoundException">The file is not there.</exception>
    public static ModelFiles FromCheckpoint(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return FromPaths([(ModelFileRole.Checkpoint, path)], "the model");
    }

    /// <summary>Takes an image encoder and a mask decoder, both as ONNX, from memory. Nothing is copied.</summary>
    /// <param name="encoder">The bytes of the image encoder's file, to stay unchanged as long as this is in use.</param>
    /// <param name="decoder">The bytes of the file of prompt encoder and mask decoder, likewise.</param>
    /// <exception cref="ArgumentException">A buffer is empty.</exception>
    public static ModelFiles FromBuffers(ReadOnlyMemory<byte> encoder, ReadOnlyMemory<byte> decoder)
    {
        if (encoder.IsEmpty) throw new ArgumentException("The image encoder's buffer is empty.", nameof(encoder));
        if (decoder.IsEmpty) throw new ArgumentException("The mask decoder's buffer is empty.", nameof(decoder));
        return new ModelFiles(new Dictionary<ModelFileRole, Location>
        {
            [ModelFileRole.Encoder] = new(null, encoder),
            [ModelFileRole.Decoder] = new(null, decoder),
        });
    }

    /// <summary>
    /// Takes an image encoder and a mask decoder, both as ONNX, from streams, which are read to their ends at once and
    /// left open.
    /// </summary>
    /// <param name="encoder">The image encoder's file, from the current position on.</param>
    /// <param name="decoder">The file of prompt encoder and mask decoder, from the current position on.</param>
    /// <exception cref="ArgumentException">A stream has nothing to read.</exception>
    /// <exception cref="IOException">A stream cannot be read.</exception>
    public static ModelFiles FromStreams(Stream encoder, Stream decoder)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(decoder);
        return FromBuffers(ReadToEnd(encoder), ReadToEnd(decoder));
    }

    /// <summary>The path of a file, or null if it is in memory or not here.</summary>
    /// <param name="role">What the file is for.</param>
    public string? FindPath(ModelFileRole role) => _locations.TryGetValue(role, out Location? location) ? location.Path : null;

    /// <summary>Reads a whole file.</summary>
    /// <param name="role">What the file is for.</param>
    /// <exception cref="ModelNotFoundException">The file is not here, or no longer.</exception>
    /// <exception cref="IOException">The file cannot be read, or has more than 2 GB.</exception>
    public ReadOnlyMemory<byte> Read(ModelFileRole role)
    {
        Location location = Find(role);
        if (location.Path is null) return location.Bytes;
        try
        {
            return File.ReadAllBytes(location.Path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelNotFoundException($"The {Describe(role)} '{location.Path}' is no longer there.", [location.Path], e);
        }
    }

    /// <summary>Opens a file to be read in parts, of any length.</summary>
    internal ByteSource Open(ModelFileRole role)
    {
        Location location = Find(role);
        return location.Path is null ? ByteSource.FromMemory($"the {Describe(role)}", location.Bytes) : ByteSource.OpenFile(location.Path);
    }

    private Location Find(ModelFileRole role) => _locations.TryGetValue(role, out Location? location)
        ? location
        : throw new ModelNotFoundException(
            $"There is no {Describe(role)} among the model's files, only {string.Join(", ", _locations.Keys.Select(Describe))}.");

    private static ModelFiles FromPaths(IEnumerable<(ModelFileRole Role, string Path)> files, string what)
    {
        Dictionary<ModelFileRole, Location> locations = files.ToDictionary(f => f.Role, f => new Location(f.Path, default));
        string[] missing = [.. locations.Values.Select(l => l.Path!).Where(path => !File.Exists(path))];
        if (missing.Length > 0)
        {
            throw new ModelNotFoundException(
                $"{what}: missing {string.Join(" and ", missing.Select(path => $"'{path}'"))}. Give the folder or the paths where the files are, "
                + $"or let {nameof(ModelStore)} find or download them.", [.. missing]);
        }

        return new ModelFiles(locations);
    }

    private static byte[] ReadToEnd(Stream stream)
    {
        using var memory = new MemoryStream(stream.CanSeek ? checked((int)(stream.Length - stream.Position)) : 0);
        stream.CopyTo(memory);
        return memory.ToArray();
    }

    private static string Describe(ModelFileRole role) => role switch
    {
        ModelFileRole.Encoder => "image encoder",
        ModelFileRole.Decoder => "mask decoder",
        _ => "checkpoint",
    };

    // One of the two: a path, or bytes.
    private sealed record Location(string? Path, ReadOnlyMemory<byte> Bytes);
}
