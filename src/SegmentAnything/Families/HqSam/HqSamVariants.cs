using System.Collections.Immutable;
using SegmentAnything.Families.Sam1;

namespace SegmentAnything.Families.HqSam;

/// <summary>The published models of the family, and how their sizes tell them apart.</summary>
internal static class HqSamVariants
{
    public static SamVariant Light { get; } = Variant("light-hq-sam", "Light HQ-SAM", "MobileSAM with finer outlines", "sam_hq_vit_tiny.pth");

    public static SamVariant VitB { get; } = Variant("hq-sam-vit-b", "HQ-SAM ViT-B", "thin and intricate outlines", "sam_hq_vit_b.pth");

    public static SamVariant VitL { get; } = Variant("hq-sam-vit-l", "HQ-SAM ViT-L", "the same on a GPU", "sam_hq_vit_l.pth");

    public static SamVariant VitH { get; } = Variant("hq-sam-vit-h", "HQ-SAM ViT-H", "the finest outlines, on a GPU", "sam_hq_vit_h.pth");

    /// <summary>The smallest first.</summary>
    public static ImmutableArray<SamVariant> All { get; } = [Light, VitB, VitL, VitH];

    /// <summary>The published model that has an image encoder of these sizes; null if there is none.</summary>
    public static SamVariant? Of(VitLayout? vit, TinyVitLayout? tinyVit) => (vit, tinyVit) switch
    {
        ({ Channels: 768, Depth: 12, Grid: 64 }, _) => VitB,
        ({ Channels: 1024, Depth: 24, Grid: 64 }, _) => VitL,
        ({ Channels: 1280, Depth: 32, Grid: 64 }, _) => VitH,
        (_, { Grid: 64, Stages: [_, _, { Channels: 160 }, _] }) => Light,
        _ => null,
    };

    // The files' hashes are not known here, so they are never downloaded.
    private static SamVariant Variant(string name, string displayName, string description, string file) => new()
    {
        Name = name,
        DisplayName = displayName,
        Description = description,
        License = "Apache-2.0",
        Source = new Uri("https://huggingface.co/lkeab/hq-sam"),
        Files = [new ModelFile(ModelFileRole.Checkpoint, file)],
    };
}
