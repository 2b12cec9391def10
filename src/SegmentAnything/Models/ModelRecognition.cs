using System.Security.Cryptography;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Graphs.Onnx;

namespace SegmentAnything.Models;

/// <summary>Says what model a folder of ONNX files holds.</summary>
internal static class ModelRecognition
{
    public const string EncoderFileName = "encoder.onnx";
    public const string DecoderFileName = "decoder.onnx";
    public const string ConvertedDecoderFileName = "decoder.safetensors";

    /// <summary>Recognises a published model by its encoder's hash, any other by its encoder's sizes.</summary>
    /// <param name="folder">Holds encoder.onnx and decoder.onnx, or decoder.safetensors as conversion writes it. Its name becomes the name of a model that is not a published one.</param>
    /// <exception cref="ModelNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">The encoder is not an ONNX file.</exception>
    public static (SamVariant Variant, ModelFiles Files) OfFolder(string folder)
    {
        string converted = Path.Combine(folder, ConvertedDecoderFileName), decoder = Path.Combine(folder, DecoderFileName);
        if (!File.Exists(decoder) && File.Exists(converted)) decoder = converted;
        ModelFiles files = ModelFiles.FromPaths(Path.Combine(folder, EncoderFileName), decoder);
        ReadOnlyMemory<byte> encoder = files.Read(ModelFileRole.Encoder);
        string hash = Convert.ToHexStringLower(SHA256.HashData(encoder.Span));
        SamVariant? published = SamModels.All.FirstOrDefault(v => v.FindFile(ModelFileRole.Encoder)?.Sha256 == hash);
        if (published is not null) return (published, files);

        GraphProto graph = OnnxFile.Parse(encoder.Span, Path.Combine(folder, EncoderFileName)).Graph;
        string name = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar));
        SamVariant sizes = SamModels.MobileSam;
        SamVariant variant = new()
        {
            Name = name,
            DisplayName = name,
            // What the file leaves open is taken to be as in the published models; the contract is checked when it is loaded.
            ImageSize = Fixed(graph.Input, 3) ?? sizes.ImageSize,
            EmbeddingChannels = Fixed(graph.Output, 1) ?? sizes.EmbeddingChannels,
            EmbeddingGrid = Fixed(graph.Output, 3) ?? sizes.EmbeddingGrid,
            Files = [new ModelFile(ModelFileRole.Encoder, EncoderFileName), new ModelFile(ModelFileRole.Decoder, Path.GetFileName(decoder))],
            License = "NOASSERTION",
            Source = new Uri(Path.GetFullPath(folder)),
        };
        return (variant, files);
    }

    /// <summary>Recognises the model that a checkpoint is of, by the names and shapes of its weights.</summary>
    /// <exception cref="CheckpointException">The file is no checkpoint, damaged, or of no SAM that is known here.</exception>
    public static (SamVariant Variant, ModelFiles Files) OfCheckpoint(string path)
    {
        using StateDict weights = CheckpointReader.Open(path);
        return (CheckpointModel.Of(weights).Variant, ModelFiles.FromCheckpoint(path));
    }

    /// <summary>A dimension of the first tensor, or null where the file leaves it open.</summary>
    private static int? Fixed(IEnumerable<ValueInfoProto> tensors, int axis) =>
        tensors.FirstOrDefault()?.Type?.TensorType?.Shape?.Dim is { Count: 4 } dims && dims[axis].DimValue is > 0 and <= int.MaxValue
            ? (int)dims[axis].DimValue
            : null;
}
