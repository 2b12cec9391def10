using SegmentAnything.Encoders;
using SegmentAnything.Families;
using SegmentAnything.Onnx;

namespace SegmentAnything.Loading;

/// <summary>
/// Finds the image encoder and the mask decoder in a folder: by the names that exporters give them, else by what the files are.
/// </summary>
internal static class ModelFolder
{
    // As exporters call them; the first is ours.
    private static readonly (string Encoder, string Decoder)[] Names =
    [
        (OpenedModel.EncoderFileName, OpenedModel.DecoderFileName),
        ("vision_encoder.onnx", "prompt_encoder_mask_decoder.onnx"),
        // A repository of Hugging Face's, as it is.
        ("onnx/vision_encoder.onnx", "onnx/prompt_encoder_mask_decoder.onnx"),
    ];

    private const string Encoder = ".encoder.onnx", Decoder = ".decoder.onnx";

    // A folder of downloads is not opened file by file.
    private const int MostFiles = 16;

    /// <summary>The names of both files, relative to the folder.</summary>
    /// <exception cref="ModelNotFoundException">One is missing, or there are several that could be meant; the message lists what was found.</exception>
    public static (string Encoder, string Decoder) Find(string folder)
    {
        foreach ((string encoder, string decoder) in Names)
        {
            if (File.Exists(Path.Combine(folder, encoder)) && File.Exists(Path.Combine(folder, decoder))) return (encoder, decoder);
        }

        string[] files = [.. Directory.EnumerateFiles(folder, "*.onnx").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        // samexporter's: one name, two endings.
        (string, string)[] pairs = [.. files.Where(f => f.EndsWith(Encoder, StringComparison.OrdinalIgnoreCase))
            .Select(f => (f, files.FirstOrDefault(d => d.Equals(f[..^Encoder.Length] + Decoder, StringComparison.OrdinalIgnoreCase))))
            .Where(pair => pair.Item2 is not null).Select(pair => (pair.f, pair.Item2!))];
        if (pairs is [var only]) return only;
        if (pairs.Length > 1 || files.Length > MostFiles) throw Refused(folder, files, "several pairs");

        (string Name, FileKind Kind, string What)[] found = [.. files.Select(f => Look(folder, f))];
        string[] encoders = OfKind(FileKind.Encoder), decoders = OfKind(FileKind.Decoder);
        return (encoders, decoders) is ([var one], [var other])
            ? (one, other)
            : throw Refused(folder, [.. found.Select(f => $"{f.Name} ({f.What})")],
                $"{Count(encoders, "image encoder")} and {Count(decoders, "mask decoder")}");

        string[] OfKind(FileKind kind) => [.. found.Where(f => f.Kind == kind).Select(f => f.Name)];

        static string Count(string[] names, string what) => $"{(names.Length == 0 ? "no" : names.Length)} {what}{(names.Length > 1 ? "s" : "")}";
    }

    private enum FileKind
    {
        Encoder,
        Decoder,
        Other,
    }

    // What a file is, by the names and types of its inputs and outputs.
    private static (string Name, FileKind Kind, string What) Look(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        try
        {
            if (new FileInfo(path).Length > int.MaxValue) return (name, FileKind.Other, "more than 2 GB");
            ModelProto model = OnnxFile.Parse(File.ReadAllBytes(path), name);
            if (OnnxFile.Read(name, () => ModelFamilies.All.Select(family => family.DescribeOnnxDecoder(model)).FirstOrDefault(d => d is not null)) is not null)
                return (name, FileKind.Decoder, "a mask decoder");
            EncoderContract contract = EncoderContract.Of(model.Graph, name);
            return (name, FileKind.Encoder, $"an image encoder, input {contract.InputName}");
        }
        catch (CheckpointException)
        {
            return (name, FileKind.Other, "not an ONNX model");
        }
        catch (ModelContractException)
        {
            return (name, FileKind.Other, "neither an image encoder nor a mask decoder that is known");
        }
    }

    private static ModelNotFoundException Refused(string folder, string[] files, string found)
    {
        string[] expected = [.. Names.Select(n => $"{n.Encoder} and {n.Decoder}"), $"NAME{Encoder} and NAME{Decoder}", "one image encoder and one mask decoder of any names"];
        // The partner of a file that is there is what is missing.
        string[] missing = [.. Names.SelectMany(n => new[] { n.Encoder, n.Decoder }.Where(f =>
            !File.Exists(Path.Combine(folder, f)) && File.Exists(Path.Combine(folder, f == n.Encoder ? n.Decoder : n.Encoder)))).Select(f => Path.Combine(folder, f))];
        return new ModelNotFoundException(
            $"'{folder}': found {found}{(files.Length == 0 ? ", and no file that ends in .onnx" : $" among {string.Join(", ", files)}")}. "
            + $"Expected {string.Join("; or ", expected)}. {(missing.Length > 0 ? $"Missing: {string.Join(" and ", missing)}. " : "")}"
            + $"Put one pair into a folder of its own, or give both paths to {nameof(ModelFiles)}.{nameof(ModelFiles.FromPaths)}.", [.. missing.Length > 0 ? missing : [folder]]);
    }
}
