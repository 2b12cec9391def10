using System.Text.Json.Serialization;

namespace SegmentAnything;

/// <summary>An image of a COCO instances file.</summary>
public sealed record CocoImage
{
    /// <summary>Its number, which annotations refer to.</summary>
    [JsonPropertyName("id")]
    [JsonRequired]
    public long Id { get; init; }

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

/// <summary>A category of a COCO instances file.</summary>
public sealed record CocoCategory
{
    /// <summary>Its number, which annotations refer to.</summary>
    [JsonPropertyName("id")]
    [JsonRequired]
    public long Id { get; init; }

    /// <summary>What it is called.</summary>
    [JsonPropertyName("name")]
    public string Name { get; init; } = "";

    /// <summary>What it is a kind of.</summary>
    [JsonPropertyName("supercategory")]
    public string Supercategory { get; init; } = "";
}
