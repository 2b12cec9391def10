using SegmentAnything.Families.EfficientSam;

namespace SegmentAnything;

/// <content>EfficientSAM.</content>
public static partial class SamModels
{
    /// <summary>EfficientSAM-Ti (10 million parameters): points on the object and boxes, six points at most.</summary>
    public static SamVariant EfficientSamTi => EfficientSamModel.Variants[0];

    /// <summary>EfficientSAM-S (26 million parameters).</summary>
    public static SamVariant EfficientSamS => EfficientSamModel.Variants[1];
}
