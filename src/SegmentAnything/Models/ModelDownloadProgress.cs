namespace SegmentAnything;

/// <summary>How far the download of one file is.</summary>
/// <param name="File">The file.</param>
/// <param name="Received">Bytes that are here, those of earlier attempts included.</param>
/// <param name="Total">Bytes of the whole file; null if not known.</param>
public readonly record struct ModelDownloadProgress(ModelFile File, long Received, long? Total);
