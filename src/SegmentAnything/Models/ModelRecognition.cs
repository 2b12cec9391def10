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

    // Of an encoder and its decoder, as the exporters call them.
    private static readonly (string Encoder, string Decoder)[] Names =
        [(EncoderFileName, DecoderFileName), ("vision_encoder.onnx", "prompt_encoder_mask_decoder.onnx")];

    /// <summary>Recognises a published model by its encoder's hash, any other by its encoder's sizes.</summary>
    /// <param name="folder">
    /// Holds encoder.onnx and decoder.onnx, or Hugging Face's vision_encoder.onnx and prompt_encoder_mask_decoder.onnx. Its
    /// name becomes the name of a model that is not a published one.
    /// </param>
    /// <exception cref="ModelNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">The encoder is not an ONNX file.</exception>
    /// <exception cref="ModelContractException">The encoder is not an image encoder.</exception>
    public static (SamVariant Variant, ModelFiles Files) OfFolder(string folder)
    {
        (string encoderName, string decoderName) = Names.FirstOrDefault(n => File.Exists(Path.Combine(folder, n.Encoder)), Names[0]);
        ModelFiles files = ModelFiles.FromPaths(Path.Combine(folder, encoderName), Path.Combine(folder, decoderName));
        ReadOnlyMemory<byte> encoder = files.Read(ModelFileRole.Encoder);
        string hash = Convert.ToHexStringLower(SHA256.HashData(encoder.Span));
        SamVariant? published = SamModels.All.FirstOrDefault(v => v.FindFile(ModelFileRole.Encoder)?.Sha256 == hash);
        if (published is not null) return (published, files);

        string path = Path.Combine(folder, encoderName);
        EncoderContract contract = EncoderContract.Of(OnnxFile.Parse(encoder.Span, path).Graph, path);
        string name = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar));
        SamVariant sizes = SamModels.MobileSam;
        SamVariant variant = new()
        {
            Name = name,
            DisplayName = name,
            // What the file leaves open is taken to be as in the published models; the contract is checked when it is loaded.
            ImageSize = contract.ImageSize ?? sizes.ImageSize,
            EmbeddingChannels = contract.EmbeddingChannels ?? sizes.EmbeddingChannels,
            EmbeddingGrid = contract.EmbeddingGrid ?? sizes.EmbeddingGrid,
            Files = [new ModelFile(ModelFileRole.Encoder, encoderName), new ModelFile(ModelFileRole.Decoder, decoderName)],
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
}
