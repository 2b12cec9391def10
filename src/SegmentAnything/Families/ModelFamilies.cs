using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.EdgeSam;
using SegmentAnything.Families.EfficientSam;
using SegmentAnything.Families.EfficientVitSam;
using SegmentAnything.Families.HqSam;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families;

/// <summary>Every family that is known. A new one is one line in <see cref="All"/>; nothing outside this room names a family.</summary>
internal static class ModelFamilies
{
    /// <summary>In the order in which they are asked: a family whose names are a subset of another's comes after it.</summary>
    public static ImmutableArray<ModelFamily> All { get; } =
    [
        new Sam2Family(),
        new HqSamFamily(),
        new EfficientVitSamFamily(),
        new EfficientSamFamily(),
        new EdgeSamFamily(),
        new Sam1Family(),
    ];

    /// <summary>Relatives that are not built here, to be told by name: a line goes when the family comes.</summary>
    public static ImmutableArray<KnownRelative> Relatives { get; } =
    [
        new("SAM 3", PictureFit.Squash, ["detector.backbone.vision_backbone.", "detector_model.", "tracker_model."]),
        new("EdgeTAM", PictureFit.Squash, ["image_encoder.trunk.body."]),
        // Checkpoints of these are built; ONNX exports of them are not run.
        new("EfficientSAM", PictureFit.Squash, []) { OnnxTensors = ["batched_images", "batched_point_coords"] },
        new("RepViT-SAM", PictureFit.Pad, ["image_encoder.features.0.0.c."]) { Unless = "image_encoder.fuse_stage2.weight" },
        new("SlimSAM with global pruning", PictureFit.Pad, ["image_encoder.blocks.0.attn.q.weight"]),
    ];

    /// <summary>Every published model of every family: the plainest family first, which is asked last.</summary>
    public static ImmutableArray<SamVariant> Published { get; } = [.. All.Reverse().SelectMany(family => family.Published)];

    /// <summary>Recognises the weights of a whole model.</summary>
    /// <param name="weights">As they were opened.</param>
    /// <param name="specification">What shapes do not tell; null for what the published models have.</param>
    /// <exception cref="CheckpointException">They are of no family that is built here, or of one and damaged, or the specification is not theirs.</exception>
    public static FamilyModel Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        // Asked first: relatives share names with the families.
        if (RelativeOf(weights) is { } relative)
            throw new CheckpointException($"{weights.Source}: {relative.Name} has another architecture, which is not built here.");
        foreach (ModelFamily family in All)
        {
            if (family.Recognise(weights, specification) is not { } model) continue;
            if (specification is not null && !family.Takes(specification))
                throw new CheckpointException($"{weights.Source}: a {specification.GetType().Name} was given, but the weights are of {model.Description}: give a {nameof(ModelSpecification)}, or none.");
            if (specification?.ImageSize is { } side && side != model.Frame.Side)
                throw new CheckpointException($"{weights.Source}: the {specification.GetType().Name} has {nameof(ModelSpecification.ImageSize)} {side}, the weights have {model.Frame.Side}.");
            return model;
        }

        throw new CheckpointException(
            $"{weights.Source}: no image encoder of a known SAM was found among its {weights.Tensors.Count} tensors ({string.Join(", ", weights.Tensors.Keys.Take(4))}, ...). Expected one of {string.Join(", ", All.Select(f => f.Name))}.");
    }

    /// <summary>Recognises prompt encoder and mask decoder alone.</summary>
    /// <exception cref="CheckpointException">They are of no family that is built here, or of one and damaged.</exception>
    public static FamilyModel RecogniseDecoder(StateDict weights, SamVariant variant)
    {
        foreach (ModelFamily family in All)
        {
            if (family.RecogniseDecoder(weights, variant) is { } model) return model;
        }

        throw new CheckpointException(
            $"{weights.Source}: no mask decoder of a known SAM was found among its {weights.Tensors.Count} tensors ({string.Join(", ", weights.Tensors.Keys.Take(4))}, ...).");
    }

    /// <summary>Recognises prompt encoder and mask decoder in an ONNX export of them.</summary>
    /// <exception cref="CheckpointException">It is of no family that is built here, or lacks a weight.</exception>
    public static FamilyModel RecogniseOnnxDecoder(ModelProto model, SamVariant variant, string source)
    {
        foreach (ModelFamily family in All)
        {
            if (OnnxFile.Read(source, () => family.RecogniseOnnxDecoder(model, variant, source)) is { } found) return found;
        }

        throw new CheckpointException(
            $"{source}: not a mask decoder of the official export: its inputs are {string.Join(", ", model.Graph.Input.Select(i => i.Name))}; "
            + $"expected {string.Join("; or ", All.Select(f => f.OnnxDecoderInputs).OfType<string>())}.");
    }

    /// <summary>Gets an image encoder back from an ONNX export, to be built as we arrange it; null where that wins nothing.</summary>
    public static FamilyModel? ReadOnnxEncoder(ModelProto model, SamVariant variant, string source) =>
        OnnxFile.Read(source, () => All.Select(family => family.ReadOnnxEncoder(model, variant, source)).FirstOrDefault(found => found is not null));

    /// <summary>The relative that an ONNX export is of; null if it is of none.</summary>
    public static KnownRelative? RelativeOf(IEnumerable<string> inputs, IEnumerable<string> outputs) => Relatives.FirstOrDefault(relative =>
        inputs.Concat(outputs).Any(name => relative.OnnxTensors.Any(start => name.StartsWith(start, StringComparison.Ordinal))));

    /// <summary>The relative that weights are of; null if they are of none.</summary>
    public static KnownRelative? RelativeOf(StateDict weights) =>
        Relatives.FirstOrDefault(relative => (relative.Unless is null || !weights.Contains(relative.Unless)) && relative.Prefixes.Any(prefix => weights.Tensors.Keys.Any(name => name.StartsWith(prefix, StringComparison.Ordinal))));
}

/// <summary>A relative of these families that is refused by its name.</summary>
/// <param name="Name">In prose.</param>
/// <param name="Fit">How it takes images.</param>
/// <param name="Prefixes">A tensor whose name begins so is of it.</param>
internal sealed record KnownRelative(string Name, PictureFit Fit, ImmutableArray<string> Prefixes)
{
    /// <summary>A tensor that it does not have, where a family that is built here has names in common with it.</summary>
    public string? Unless { get; init; }

    /// <summary>An ONNX export with an input or output whose name begins so is of it.</summary>
    public ImmutableArray<string> OnnxTensors { get; init; } = [];
}
