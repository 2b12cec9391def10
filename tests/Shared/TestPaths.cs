namespace SegmentAnything.TestSupport;

/// <summary>Where tests find what is not committed. What needs an absent folder skips and says so.</summary>
internal static class TestPaths
{
    /// <summary>The folder that holds SegmentAnything.sln.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>Small golden numbers that are part of the repository.</summary>
    public static string CommittedGolden => Path.Combine(Repository, "tests", "golden");

    /// <summary>
    /// Reference data made with the official PyTorch code, too large for the repository:
    /// $SEGMENTANYTHING_GOLDEN, else shared/golden beside the repository. Null when absent.
    /// </summary>
    public static string? Golden { get; } = FirstFolder(
        Environment.GetEnvironmentVariable("SEGMENTANYTHING_GOLDEN"),
        Path.Combine(Repository, "..", "shared", "golden"));

    /// <summary>Gives the path of reference data, or skips the running test.</summary>
    public static string RequireGolden(params ReadOnlySpan<string> parts)
    {
        Assert.SkipWhen(Golden is null, "The reference data is not here: set SEGMENTANYTHING_GOLDEN to its folder.");
        string path = Path.Combine([Golden!, .. parts]);
        Assert.SkipUnless(Path.Exists(path), $"The reference data lacks {string.Join('/', parts.ToArray())}.");
        return path;
    }

    private static string FindRepository()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "SegmentAnything.sln"))) return folder.FullName;
        }

        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds SegmentAnything.sln.");
    }

    private static string? FirstFolder(params ReadOnlySpan<string?> candidates)
    {
        foreach (string? candidate in candidates)
        {
            if (!string.IsNullOrEmpty(candidate) && Directory.Exists(candidate)) return Path.GetFullPath(candidate);
        }

        return null;
    }
}
