using System.Text.Json.Serialization;

namespace SegmentAnything;

/// <summary>The image that a file of the SA-1B data set is about.</summary>
public sealed record Sa1bImage
{
    /// <summary>Its number.</summary>
    [JsonPropertyName("image_id")]
    public long ImageId { get; init; }

    /// <summary>Columns.</summary>
    [JsonPropertyName("width")]
    [JsonRequired]
    public int Width { get; init; }

    /// <summary>Rows.</summary>
    [JsonPropertyName("height")]
    [JsonRequired]
    public int Height { get; init; }

    /// <summary>The name of its file.</summary>
    [JsonPropertyName("file_name")]
    public string FileName { get; init; } = "";
}
