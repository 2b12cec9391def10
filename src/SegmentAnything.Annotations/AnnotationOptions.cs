namespace SegmentAnything.Annotations;

/// <summary>What a reader needs beyond the file.</summary>
public sealed record AnnotationReadOptions
{
    /// <summary>
    /// Gives the size (width, then height) of a picture by the name that the file has for it, which may lack an extension; null
    /// where it does not know. Asked where a format leaves sizes out: YOLO, Kaggle, GeoJSON of others.
    /// </summary>
    public Func<string, (int Width, int Height)?>? SizeOf { get; init; }

    /// <summary>The size (width, then height) of the pictures that <see cref="SizeOf"/> does not know.</summary>
    public (int Width, int Height)? Size { get; init; }
}

/// <summary>How annotations are written.</summary>
public sealed record AnnotationWriteOptions
{
    /// <summary>
    /// How far polygons made of masks may lie from the mask's border, in pixels: 0 for exact ones, along the edges of pixels.
    /// What that loses is counted. See <see cref="PolygonSimplification"/>.
    /// </summary>
    public double PolygonTolerance { get; init; }

    /// <summary>What a file says of itself, such as COCO's info and licenses, by name; for the formats that have a place for it.</summary>
    public IReadOnlyDictionary<string, System.Text.Json.JsonElement>? Other { get; init; }

    /// <summary>What must not be written over.</summary>
    internal ProtectedFiles? Protected { get; init; }

    internal void Validate()
    {
        if (!(PolygonTolerance >= 0) || !double.IsFinite(PolygonTolerance))
            throw new ArgumentException($"The polygon tolerance is {PolygonTolerance}; 0 or more pixels were expected.", nameof(PolygonTolerance));
    }
}
