namespace SegmentAnything.Checkpoints;

/// <summary>Takes off what a wrapper put before every name: <c>module.</c> of data-parallel training, <c>model.</c>, <c>sam.</c></summary>
internal static class WrapperPrefix
{
    // Every checkpoint of a Segment Anything model, whatever its family, has tensors whose names start so.
    private static readonly string[] Roots = ["image_encoder.", "vision_encoder.", "mask_decoder.", "prompt_encoder."];

    /// <summary>Each name without the prefix, in the same order.</summary>
    public static IReadOnlyList<string> Remove(IReadOnlyList<string> names)
    {
        string prefix = Find(names);
        return [.. names.Select(name => prefix.Length > 0 && name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name)];
    }

    // What stands before the first root.
    private static string Find(IReadOnlyList<string> names)
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
