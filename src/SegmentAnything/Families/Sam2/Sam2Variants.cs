using System.Collections.Immutable;

namespace SegmentAnything.Families.Sam2;

/// <summary>The published models of the family, and how their sizes tell them apart.</summary>
internal static class Sam2Variants
{
    /// <summary>SAM 2.1 before SAM 2, each with the smallest first.</summary>
    public static ImmutableArray<SamVariant> All { get; } =
        [.. new[] { true, false }.SelectMany(is21 => Sam2Layout.Published.Select(p => Make(is21, p.Name)))];

    /// <summary>The published model of these sizes; null if there is none.</summary>
    public static SamVariant? Of(Sam2Layout layout) => layout.PublishedName is { } name ? Find(layout.Is21 || !layout.HasMemory, name) : null;

    /// <summary>The model of a version and a size.</summary>
    public static SamVariant Find(bool is21, string name) => All.Single(v => v.Name == NameOf(is21, name));

    private static string NameOf(bool is21, string name) => $"sam2{(is21 ? ".1" : "")}-hiera-{name.Replace('_', '-')}";

    // The files' hashes are not known here, so they are never downloaded.
    private static SamVariant Make(bool is21, string name) => new()
    {
        Name = NameOf(is21, name),
        DisplayName = $"SAM 2{(is21 ? ".1" : "")} Hiera {name.Replace('_', ' ')}",
        Description = name switch
        {
            _ when !is21 => "as SAM 2.1, which replaces it",
            "tiny" => "SAM's successor at its smallest",
            "small" => "hardly slower, a little better",
            "base_plus" => "between small and large",
            _ => "the best of SAM 2.1, on a GPU",
        },
        Fit = PictureFit.Squash,
        License = "Apache-2.0",
        Source = new Uri("https://github.com/facebookresearch/sam2"),
        Files = [new ModelFile(ModelFileRole.Checkpoint, $"sam2{(is21 ? ".1" : "")}_hiera_{name}.pt")],
    };
}
