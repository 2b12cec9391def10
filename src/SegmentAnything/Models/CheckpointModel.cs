using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Models;

/// <summary>What the weights of a whole model are of: found by names and shapes alone.</summary>
/// <param name="Variant">The model, with the sizes that were found.</param>
/// <param name="Vit">Its image encoder, if that is a ViT.</param>
/// <param name="TinyVit">Its image encoder, if that is MobileSAM's.</param>
/// <param name="Decoder">Its prompt encoder and mask decoder.</param>
internal sealed record CheckpointModel(SamVariant Variant, VitLayout? Vit, TinyVitLayout? TinyVit, DecoderLayout Decoder)
{
    public static readonly string[] DecoderPrefixes = ["prompt_encoder.", "mask_decoder."];

    /// <summary>Recognises a model.</summary>
    /// <exception cref="CheckpointException">The weights are of no SAM that is known here, or of one that lacks a part.</exception>
    public static CheckpointModel Of(StateDict weights)
    {
        VitLayout? vit = VitLayout.Fits(weights) ? VitLayout.Of(weights) : null;
        TinyVitLayout? tinyVit = vit is null && TinyVitLayout.Fits(weights) ? TinyVitLayout.Of(weights) : null;
        if (vit is null && tinyVit is null)
        {
            throw new CheckpointException(
                $"{weights.Source}: no image encoder of a known SAM was found among its {weights.Tensors.Count} tensors ({string.Join(", ", weights.Tensors.Keys.Take(4))}, ...). Expected SAM's ViT (image_encoder.blocks...) or MobileSAM's TinyViT (image_encoder.layers...).");
        }

        DecoderLayout decoder = DecoderLayout.Of(weights);
        int channels = vit?.OutputChannels ?? tinyVit!.OutputChannels;
        if (channels != decoder.Channels)
            throw new CheckpointException($"{weights.Source}: the image encoder gives {channels} channels, but the mask decoder takes {decoder.Channels}.");

        SamVariant? published = (vit, tinyVit) switch
        {
            ({ Channels: 768, Depth: 12, Grid: 64 }, _) => SamModels.VitB,
            ({ Channels: 1024, Depth: 24, Grid: 64 }, _) => SamModels.VitL,
            ({ Channels: 1280, Depth: 32, Grid: 64 }, _) => SamModels.VitH,
            (_, { Grid: 64 }) => SamModels.MobileSam,
            _ => null,
        };
        string name = Path.GetFileNameWithoutExtension(weights.Source);
        string fileName = Path.GetFileName(weights.Source);
        SamVariant variant = (published ?? new SamVariant
        {
            Name = name,
            DisplayName = name,
            License = "NOASSERTION",
            Source = new Uri("about:blank"),
            Files = [],
        }) with
        {
            ImageSize = vit?.ImageSize ?? tinyVit!.ImageSize,
            EmbeddingGrid = vit?.Grid ?? tinyVit!.Grid,
            EmbeddingChannels = channels,
            Files = [new ModelFile(ModelFileRole.Checkpoint, fileName)],
        };
        return new CheckpointModel(variant, vit, tinyVit, decoder);
    }
}
