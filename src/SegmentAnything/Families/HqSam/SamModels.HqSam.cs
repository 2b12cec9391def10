using SegmentAnything.Families.HqSam;

namespace SegmentAnything;

/// <content>HQ-SAM.</content>
public static partial class SamModels
{
    /// <summary>Light HQ-SAM: MobileSAM's image encoder with HQ-SAM's mask decoder (10.6 million parameters).</summary>
    public static SamVariant LightHqSam => HqSamVariants.Light;

    /// <summary>HQ-SAM with the base image encoder (ViT-B, 95 million parameters).</summary>
    public static SamVariant HqSamVitB => HqSamVariants.VitB;

    /// <summary>HQ-SAM with the large image encoder (ViT-L, 313 million parameters).</summary>
    public static SamVariant HqSamVitL => HqSamVariants.VitL;

    /// <summary>HQ-SAM with the huge image encoder (ViT-H, 643 million parameters).</summary>
    public static SamVariant HqSamVitH => HqSamVariants.VitH;
}
