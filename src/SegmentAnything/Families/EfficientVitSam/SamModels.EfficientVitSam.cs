using SegmentAnything.Families.EfficientVitSam;

namespace SegmentAnything;

/// <content>EfficientViT-SAM.</content>
public static partial class SamModels
{
    /// <summary>EfficientViT-SAM L0 (35 million parameters): convolutions, and images of 512 pixels.</summary>
    public static SamVariant EfficientVitSamL0 => EfficientVitSamModel.Variants[0];

    /// <summary>EfficientViT-SAM L1 (48 million parameters).</summary>
    public static SamVariant EfficientVitSamL1 => EfficientVitSamModel.Variants[1];

    /// <summary>EfficientViT-SAM L2 (61 million parameters).</summary>
    public static SamVariant EfficientVitSamL2 => EfficientVitSamModel.Variants[2];

    /// <summary>EfficientViT-SAM XL0 (117 million parameters): images of 1024 pixels.</summary>
    public static SamVariant EfficientVitSamXl0 => EfficientVitSamModel.Variants[3];

    /// <summary>EfficientViT-SAM XL1 (203 million parameters).</summary>
    public static SamVariant EfficientVitSamXl1 => EfficientVitSamModel.Variants[4];
}
