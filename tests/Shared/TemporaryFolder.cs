namespace SegmentAnything.TestSupport;

/// <summary>A new, empty folder that is removed when the test ends.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("segment-anything-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
