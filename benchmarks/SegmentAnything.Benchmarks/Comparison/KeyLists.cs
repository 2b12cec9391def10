namespace SegmentAnything.Tests.Families;

/// <summary>The specifications' lists of names and shapes, beside the reference data.</summary>
internal static class KeyLists
{
    /// <summary>Where a list is.</summary>
    public static string PathOf(string file) => Path.Combine(
        Environment.GetEnvironmentVariable("SEGMENTANYTHING_GOLDEN") ?? throw new InvalidOperationException("Set SEGMENTANYTHING_GOLDEN to the folder of the reference data: lists of names and shapes lie beside it."),
        "..", "specs", "keys", file);
}
