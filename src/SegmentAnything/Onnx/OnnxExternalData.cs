using System.Globalization;
using Google.Protobuf;

namespace SegmentAnything.Onnx;

/// <summary>Weights that an ONNX file keeps in files beside it (<c>.onnx_data</c>, <c>.data</c>), because they are many.</summary>
internal static class OnnxExternalData
{
    // A file with more cannot be one message either.
    private const long MostBytes = int.MaxValue / 2;

    /// <summary>Whether a model keeps weights in other files.</summary>
    public static bool IsUsed(ModelProto model) => Tensors(model.Graph).Any();

    /// <summary>Where the tensors are in the files beside a model that we wrote: offset and length, in bytes.</summary>
    public static IEnumerable<(long Offset, long Length)> Stretches(ModelProto model) => Tensors(model.Graph)
        .Select(t => (long.TryParse(Entry(t, "offset"), CultureInfo.InvariantCulture, out long offset) ? offset : 0, long.TryParse(Entry(t, "length"), CultureInfo.InvariantCulture, out long length) ? length : 0));

    /// <summary>Checks that every file beside the model is there, lies in its folder, and is long enough. Nothing is read.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">Where it is; null where it was given as bytes.</param>
    /// <param name="source">Where it is from, for messages.</param>
    /// <exception cref="CheckpointException">One is missing, too short, or outside the folder.</exception>
    public static void Check(ModelProto model, string? path, string source)
    {
        foreach (TensorProto tensor in Tensors(model.Graph)) _ = Find(tensor, path, source);
    }

    /// <summary>Brings the weights of the other files into the model.</summary>
    /// <param name="model">The model, which is changed.</param>
    /// <param name="path">Where it is; null where it was given as bytes.</param>
    /// <param name="source">Where it is from, for messages.</param>
    /// <exception cref="CheckpointException">A file is missing, too short, or outside the folder, or the weights are too many.</exception>
    public static void Load(ModelProto model, string? path, string source)
    {
        long sum = 0;
        foreach (TensorProto tensor in Tensors(model.Graph))
        {
            (string file, long offset, long length) = Find(tensor, path, source);
            sum += length;
            if (sum > MostBytes) throw new CheckpointException($"{source}: its weights beside it have more than {MostBytes} bytes, too many for a mask decoder.");
            byte[] bytes = new byte[length];
            using (FileStream stream = File.OpenRead(file))
            {
                stream.Position = offset;
                stream.ReadExactly(bytes);
            }

            tensor.RawData = UnsafeByteOperations.UnsafeWrap(bytes);
            tensor.DataLocation = TensorProto.Types.DataLocation.Default;
            tensor.ExternalData.Clear();
        }
    }

    /// <summary>Reads the weights of the other files, and checks that they are finite numbers.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">Where it is; null where it was given as bytes.</param>
    /// <param name="source">Where it is from, for messages.</param>
    /// <exception cref="CheckpointException">A file is missing, too short, or outside the folder, or a weight is NaN or infinite.</exception>
    public static void CheckFinite(ModelProto model, string? path, string source)
    {
        foreach (TensorProto tensor in Tensors(model.Graph))
        {
            (string file, long offset, long length) = Find(tensor, path, source);
            if (length > Array.MaxLength) continue;
            byte[] bytes = new byte[length];
            using FileStream stream = File.OpenRead(file);
            stream.Position = offset;
            stream.ReadExactly(bytes);
            OnnxFile.CheckFinite(tensor, bytes, source);
        }
    }

    private static IEnumerable<TensorProto> Tensors(GraphProto graph) =>
        graph.Initializer
            .Concat(graph.Node.SelectMany(n => n.Attribute).Where(a => a.T is not null).Select(a => a.T))
            .Where(t => t.DataLocation == TensorProto.Types.DataLocation.External)
            .Concat(graph.Node.SelectMany(n => n.Attribute).Where(a => a.G is not null).SelectMany(a => Tensors(a.G)));

    // Links are followed: download caches keep their files elsewhere. The name alone must not lead out of the folder.
    private static (string File, long Offset, long Length) Find(TensorProto tensor, string? path, string source)
    {
        string name = Entry(tensor, "location") ?? "";
        if (path is null)
            throw new CheckpointException($"{source}: the weights '{tensor.Name}' are in another file, '{name}', and the model was given as bytes. Give its path.");
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        bool escapes = name.Length == 0 || Path.IsPathRooted(name) || name.Contains(':', StringComparison.Ordinal)
            || name.Split('/', '\\').Contains("..");
        if (escapes) throw new CheckpointException($"{source}: the weights '{tensor.Name}' are said to be in '{name}'; a name within the model's folder is expected.");
        string file = Path.Combine(folder, name);
        if (name.Contains('\0', StringComparison.Ordinal) || !File.Exists(file)) throw new CheckpointException($"{source}: its weights are in '{name}', which is not beside it in '{folder}'. Put both files into one folder.");
        long size = new FileInfo(File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file).Length;
        long offset = Number("offset") ?? 0, length = Number("length") ?? size - offset;
        if (offset < 0 || length < 0 || offset > size - length)
            throw new CheckpointException($"{source}: tensor '{tensor.Name}' is said to have {length} bytes from {offset} on in '{name}', which has {size}. Is the file complete?");
        return (file, offset, length);

        long? Number(string key)
        {
            if (Entry(tensor, key) is not { } text) return null;
            return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
                ? number
                : throw new CheckpointException($"{source}: tensor '{tensor.Name}' has the {key} '{text}'; a number is expected.");
        }
    }

    private static string? Entry(TensorProto tensor, string key) => tensor.ExternalData.FirstOrDefault(e => e.Key == key)?.Value;
}
