using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Families;
using SegmentAnything.Onnx;

namespace SegmentAnything;

/// <summary>
/// Says what a model's file is: family, sizes, inputs and outputs, and whether it can be run here. Looks at names and
/// shapes only; nothing is executed.
/// </summary>
public static class ModelInspector
{
    private const string UseCheckpoint = "Load the checkpoint that it was exported from instead.";

    /// <summary>Inspects a checkpoint or an ONNX file.</summary>
    /// <param name="path">The file, whatever its name.</param>
    /// <returns>What was found; a file that is nothing known, or damaged, is <see cref="ModelFileKind.Unknown"/> with the reason.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ModelInspection Inspect(string path) => Inspect(path, specification: null);

    /// <summary>Inspects a checkpoint or an ONNX file.</summary>
    /// <param name="path">The file, whatever its name.</param>
    /// <param name="specification">What the shapes of a checkpoint's weights do not tell, as <see cref="SamOptions.Specification"/>.</param>
    /// <returns>What was found; a checkpoint that the specification does not fit is one that cannot be run, and the note says why.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ModelInspection Inspect(string path, ModelSpecification? specification)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using ByteSource source = ByteSource.OpenFile(path);
        try
        {
            if (CheckpointReader.Recognize(source) != CheckpointFormat.Unknown)
            {
                using StateDict weights = CheckpointReader.Open(ByteSource.OpenFile(path));
                return OfCheckpoint(path, weights, specification);
            }

            return source.Length > int.MaxValue
                ? Unknown(path, $"{source.Length} bytes are too many for an ONNX file, and it is no checkpoint.")
                : OnnxFile.Read(path, () => OfOnnx(path, OnnxFile.Parse(source.Read(0, (int)source.Length), path)));
        }
        catch (CheckpointException e)
        {
            return Unknown(path, e.Message);
        }
    }

    private static ModelInspection Unknown(string path, string reason) =>
        new() { Path = path, Kind = ModelFileKind.Unknown, Format = "unknown", CanRun = false, Note = reason };

    private static ModelInspection OfCheckpoint(string path, StateDict weights, ModelSpecification? specification)
    {
        var inspection = new ModelInspection
        {
            Path = path,
            Kind = ModelFileKind.Checkpoint,
            Format = weights.Format,
            Parameters = weights.Tensors.Values.Sum(t => t.Count),
            CanRun = false,
        };
        if (ModelFamilies.RelativeOf(weights) is { } relative)
            return inspection with { Family = relative.Name, Fit = relative.Fit, Note = $"{relative.Name} has another architecture, which is not built here." };
        try
        {
            FamilyModel model = ModelFamilies.Recognise(weights, specification);
            return inspection with
            {
                Family = model.Published?.DisplayName ?? model.Description,
                ImageSize = model.Frame.EncoderSide,
                EmbeddingChannels = model.Features[0].Channels,
                EmbeddingGrid = model.Features[0].Side,
                Masks = model.Masks.Tokens,
                NormalisesInside = false,
                Fit = model.Frame.Fit,
                CanRun = true,
            };
        }
        catch (CheckpointException e)
        {
            return inspection with { Note = e.Message };
        }
    }

    private static ModelInspection OfOnnx(string path, ModelProto model)
    {
        GraphProto graph = model.Graph;
        HashSet<string> constants = [.. graph.Initializer.Select(t => t.Name)];
        ImmutableArray<ModelTensor> inputs = [.. graph.Input.Where(i => !constants.Contains(i.Name)).Select(Describe)];
        ImmutableArray<ModelTensor> outputs = [.. graph.Output.Select(Describe)];
        var inspection = new ModelInspection
        {
            Path = path,
            Kind = ModelFileKind.Unknown,
            Format = "ONNX",
            Parameters = graph.Initializer.Sum(t => t.Dims.Aggregate(1L, (product, size) => product * size)),
            Inputs = inputs,
            Outputs = outputs,
            BatchedInputs = [.. inputs.Where(i => i.Shape is [var first, ..] && !int.TryParse(first, out _)).Select(i => i.Name)],
            CanRun = false,
        };
        string[] inputNames = [.. inputs.Select(i => i.Name)], outputNames = [.. outputs.Select(o => o.Name)];

        if (ModelFamilies.All.Select(f => (Family: f, Layout: f.DescribeOnnxDecoder(model))).FirstOrDefault(d => d.Layout is not null) is ({ } family, { } layout))
            return Decoder(inspection, model, family, layout);
        if (ModelFamilies.RelativeOf(inputNames, outputNames) is { } relative)
        {
            return inspection with
            {
                Family = relative.Name,
                Kind = inputs.Length == 1 ? ModelFileKind.ImageEncoder : ModelFileKind.MaskDecoder,
                Fit = relative.Fit,
                Note = $"{relative.Name} has another architecture, which is not run from ONNX files here.",
            };
        }

        return inputs.Length == 1 ? Encoder(inspection, model) : inspection with
        {
            Note = $"Neither an image encoder (one picture in) nor a mask decoder that is known: its inputs are {string.Join(", ", inputNames)}.",
        };
    }

    private static ModelInspection Decoder(ModelInspection inspection, ModelProto model, ModelFamily family, string format)
    {
        inspection = inspection with
        {
            Kind = ModelFileKind.MaskDecoder,
            Format = format,
            Family = family.Name,
        };
        try
        {
            OnnxExternalData.Load(model, inspection.Path, inspection.Path);
            // Sizes of the image matter to nothing that is looked at here.
            FamilyModel decoder = ModelFamilies.RecogniseOnnxDecoder(model, SamModels.MobileSam, inspection.Path);
            using StateDict weights = decoder.Weights;
            return inspection with
            {
                EmbeddingChannels = decoder.Features[0].Channels,
                // Of several maps the embedding is the smallest.
                EmbeddingGrid = inspection.Inputs.Where(i => i.Name.StartsWith("image_embed", StringComparison.Ordinal))
                    .Select(i => i.Shape is [_, _, _, var grid] && int.TryParse(grid, out int g) ? g : (int?)null).Min(),
                Masks = decoder.Masks.Tokens,
                CanRun = true,
                Note = decoder.Capabilities is { Boxes: true, MaskPrompts: false }
                    ? "Goes with the image encoder of the same model. Takes points and boxes, no masks."
                    : decoder.Capabilities.Boxes ? "Goes with the image encoder of the same model."
                    : "Goes with the image encoder of the same model. Takes points alone: the file has no weights for boxes and masks.",
            };
        }
        catch (CheckpointException e)
        {
            return inspection with { Note = $"{e.Message} {UseCheckpoint}" };
        }
    }

    private static ModelInspection Encoder(ModelInspection inspection, ModelProto model)
    {
        try
        {
            EncoderContract contract = EncoderContract.Of(model.Graph, inspection.Path);
            bool huggingFace = inspection.Outputs.Any(o => o.Name == "image_positional_embeddings");
            (ModelFamily? known, string? family) = ModelFamilies.All.Select(f => (f, f.DescribeOnnxEncoder(model))).FirstOrDefault(d => d.Item2 is not null);
            return inspection with
            {
                Kind = ModelFileKind.ImageEncoder,
                Format = huggingFace ? "ONNX, Hugging Face export (vision_encoder)"
                    : contract.HasPreprocessing ? "ONNX, image encoder with preprocessing inside"
                    : "ONNX, image encoder",
                Family = family ?? "SAM",
                ImageSize = contract.ImageSize,
                EmbeddingChannels = contract.EmbeddingChannels,
                EmbeddingGrid = contract.EmbeddingGrid,
                NormalisesInside = contract.NormalisesInside,
                Fit = known?.Fit ?? PictureFit.Pad,
                CanRun = true,
                Note = "Goes with the mask decoder of the same model.",
            };
        }
        catch (ModelContractException e)
        {
            // Something that takes an image and gives positions of one is an encoder, if not one that can be fed.
            bool isEncoder = inspection.Inputs[0].Shape.Contains("3") && inspection.Outputs.Any(o => o.Shape.Length == 4);
            return inspection with { Kind = isEncoder ? ModelFileKind.ImageEncoder : ModelFileKind.Unknown, Note = $"{e.Message} {UseCheckpoint}" };
        }
    }

    private static ModelTensor Describe(ValueInfoProto value)
    {
        TypeProto.Types.Tensor? type = value.Type?.TensorType;
        string name = type is null ? "unknown" : ((TensorProto.Types.DataType)type.ElemType).ToString().ToLowerInvariant();
        return new ModelTensor(value.Name, name, [.. (type?.Shape?.Dim ?? []).Select(d =>
            d.ValueCase == TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue ? $"{d.DimValue}"
            : string.IsNullOrEmpty(d.DimParam) ? "?" : d.DimParam)]);
    }
}
