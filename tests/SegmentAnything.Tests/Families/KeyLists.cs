using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>The specifications' lists of names and shapes.</summary>
internal static class KeyLists
{
    /// <summary>Where a list is; skips the running test if it is not here.</summary>
    public static string PathOf(string file)
    {
        string path = Path.Combine(TestPaths.RequireGolden(), "..", "specs", "keys", file);
        Assert.SkipUnless(File.Exists(path), $"The specifications' list {file} is not here.");
        return path;
    }
}
