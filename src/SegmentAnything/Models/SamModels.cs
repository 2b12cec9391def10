using System.Collections.Immutable;
using SegmentAnything.Families;

namespace SegmentAnything;

/// <summary>The published models. Those without a property are found by their names.</summary>
public static partial class SamModels
{
    /// <summary>Every published model, by family, the smallest of a family first.</summary>
    public static ImmutableArray<SamVariant> All => ModelFamilies.Published;

    /// <summary>The model of a name.</summary>
    /// <param name="name">Its <see cref="SamVariant.Name"/>, in any case.</param>
    /// <returns>The model, or null if none has this name.</returns>
    public static SamVariant? Find(string name) =>
        All.FirstOrDefault(v => string.Equals(v.Name, name, StringComparison.OrdinalIgnoreCase));
}
