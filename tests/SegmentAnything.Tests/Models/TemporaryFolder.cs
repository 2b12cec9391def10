namespace SegmentAnything.Tests.Models;

/// <summary>A folder of a unique name that is deleted in the end.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("segment-anything-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
