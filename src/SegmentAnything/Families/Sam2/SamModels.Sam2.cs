using SegmentAnything.Families.Sam2;

namespace SegmentAnything;

/// <content>SAM 2.1. SAM 2's are found by their names: <c>sam2-hiera-tiny</c> and so on.</content>
public static partial class SamModels
{
    /// <summary>SAM 2.1 with the tiny image encoder (Hiera, 39 million parameters with those for video).</summary>
    public static SamVariant Sam21Tiny => Sam2Variants.Find(is21: true, "tiny");

    /// <summary>SAM 2.1 with the small image encoder (46 million parameters).</summary>
    public static SamVariant Sam21Small => Sam2Variants.Find(is21: true, "small");

    /// <summary>SAM 2.1 with the base-plus image encoder (81 million parameters).</summary>
    public static SamVariant Sam21BasePlus => Sam2Variants.Find(is21: true, "base_plus");

    /// <summary>SAM 2.1 with the large image encoder (224 million parameters).</summary>
    public static SamVariant Sam21Large => Sam2Variants.Find(is21: true, "large");
}
