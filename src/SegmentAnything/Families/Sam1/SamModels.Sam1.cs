using SegmentAnything.Families.Sam1;

namespace SegmentAnything;

/// <content>SAM's own.</content>
public static partial class SamModels
{
    /// <summary>
    /// MobileSAM: SAM's prompt encoder and mask decoder with a small image encoder (TinyViT, 5 million parameters). Small,
    /// and fast on the processor; the default.
    /// </summary>
    public static SamVariant MobileSam => Sam1Variants.MobileSam;

    /// <summary>SlimSAM, pruned to 23 % of ViT-B's channels: the smallest with a ViT (9.7 million parameters).</summary>
    public static SamVariant SlimSam77 => Sam1Variants.Slim77;

    /// <summary>SlimSAM, pruned to half of ViT-B's channels (28 million parameters).</summary>
    public static SamVariant SlimSam50 => Sam1Variants.Slim50;

    /// <summary>SAM with the base image encoder (ViT-B, 91 million parameters).</summary>
    public static SamVariant VitB => Sam1Variants.VitB;

    /// <summary>SAM with the large image encoder (ViT-L, 308 million parameters).</summary>
    public static SamVariant VitL => Sam1Variants.VitL;

    /// <summary>SAM with the huge image encoder (ViT-H, 636 million parameters): the paper's model.</summary>
    public static SamVariant VitH => Sam1Variants.VitH;
}
