using SegmentAnything.Families.EdgeSam;

namespace SegmentAnything;

/// <content>EdgeSAM.</content>
public static partial class SamModels
{
    /// <summary>
    /// EdgeSAM (10 million parameters). Its licence, NTU S-Lab License 1.0, excludes commercial use; nothing downloads it.
    /// </summary>
    public static SamVariant EdgeSam => EdgeSamModel.Variants[0];
}
