namespace SegmentAnything.Checkpoints;

/// <summary>Brings the names of a file to those of the official code, whatever wrapped or renamed them.</summary>
internal static class OfficialNames
{
    // Every SAM checkpoint, of whatever layout, has tensors whose names start so.
    private static readonly string[] Roots = ["image_encoder.", "vision_encoder.", "mask_decoder.", "prompt_encoder."];

    /// <summary>The official name of each tensor, in the same order.</summary>
    public static IReadOnlyList<string> Map(IReadOnlyList<string> names)
    {
        string prefix = Prefix(names);
        string[] bare = [.. names.Select(name => prefix.Length > 0 && name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name)];
        if (Families.Sam2.Sam2Names.Are(bare)) return bare;
        return HuggingFaceNames.AreHuggingFace(bare) ? HuggingFaceNames.ToOfficial(bare) : bare;
    }

    // "module." of data-parallel training, "model." or "sam." of a wrapper: what stands before the first root.
    private static string Prefix(IReadOnlyList<string> names)
    {
        foreach (string name in names)
        {
            if (Roots.Any(root => name.StartsWith(root, StringComparison.Ordinal))) return "";
        }

        foreach (string name in names)
        {
            foreach (string root in Roots)
            {
                int at = name.IndexOf("." + root, StringComparison.Ordinal);
                if (at >= 0) return name[..(at + 1)];
            }
        }

        return "";
    }
}
