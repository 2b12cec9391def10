namespace SegmentAnything;

/// <summary>What was found where all of a model's file was read.</summary>
/// <param name="Path">The file.</param>
/// <param name="Sha256">Its SHA-256 in hexadecimal; null where it could not be read.</param>
/// <param name="IsPublished">It is, byte by byte, a file that was published: its SHA-256 is that of one of <see cref="SamModels.All"/>.</param>
/// <param name="Problem">What is wrong with it, in a sentence; null for nothing.</param>
public sealed record FileVerification(string Path, string? Sha256, bool IsPublished, string? Problem);
