using System.Globalization;

namespace SegmentAnything;

/// <summary>How far the download of one file is.</summary>
/// <param name="File">The file.</param>
/// <param name="Received">Bytes that are here, those of earlier attempts included.</param>
/// <param name="Total">Bytes of the whole file; null if not known.</param>
public readonly record struct ModelDownloadProgress(ModelFile File, long Received, long? Total)
{
    /// <summary>Gives such as <c>encoder.onnx: 12 of 28 MB</c>.</summary>
    public override string ToString() => Total is { } total
        ? string.Create(CultureInfo.InvariantCulture, $"{File?.FileName}: {Received / 1e6:F0} of {total / 1e6:F0} MB")
        : string.Create(CultureInfo.InvariantCulture, $"{File?.FileName}: {Received / 1e6:F0} MB");
}
