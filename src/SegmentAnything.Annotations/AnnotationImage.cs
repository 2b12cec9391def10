using System.Collections.ObjectModel;
using System.Text.Json;

namespace SegmentAnything.Annotations;

/// <summary>A picture that annotations are about.</summary>
public sealed record AnnotationImage
{
    /// <summary>Its number, which annotations refer to.</summary>
    public long Id { get; init; }

    /// <summary>The name of its file; empty where it is unknown.</summary>
    public string FileName { get; init; } = "";

    /// <summary>Columns; 0 where the size is unknown.</summary>
    public int Width { get; init; }

    /// <summary>Rows; 0 where the size is unknown.</summary>
    public int Height { get; init; }

    /// <summary>What the file says of it beyond this, by name; written again by the formats that are JSON.</summary>
    public IReadOnlyDictionary<string, JsonElement> Other { get; init; } = ReadOnlyDictionary<string, JsonElement>.Empty;
}

/// <summary>What an object can be.</summary>
public sealed record AnnotationCategory
{
    /// <summary>Its number, which annotations refer to.</summary>
    public long Id { get; init; }

    /// <summary>Its name.</summary>
    public string Name { get; init; } = "";

    /// <summary>The group it belongs to; empty where there is none.</summary>
    public string Supercategory { get; init; } = "";

    /// <summary>What the file says of it beyond this, by name; written again by the formats that are JSON.</summary>
    public IReadOnlyDictionary<string, JsonElement> Other { get; init; } = ReadOnlyDictionary<string, JsonElement>.Empty;
}

/// <summary>A picture with all of its annotations.</summary>
/// <param name="Image">The picture.</param>
/// <param name="Annotations">Its annotations, in the order of the file.</param>
public sealed record ImageAnnotations(AnnotationImage Image, IReadOnlyList<Annotation> Annotations);
