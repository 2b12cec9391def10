using System.Text.Json;
using SegmentAnything.Annotations.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>GeoJSON in pixels: a feature a mask, each region an outer ring with its holes.</summary>
/// <remarks>
/// x goes to the right and y down, as in pictures; there is no place on the Earth. Outer rings turn as the standard wants when
/// the numbers are taken for axes to the right and up. The image is a member of the collection. Source: RFC 7946.
/// </remarks>
internal sealed class GeoJsonFormat : PerImageFormat
{
    // Not "image", which SA-1B's files are known by.
    private const string Picture = "picture";

    public override string Name => "geojson";

    public override string Description => "GeoJSON in pixels, a file an image: outer rings with their holes";

    internal override Keeps Keeps => Keeps.Categories | Keeps.Score | Keeps.ModelScores | Keeps.Crowds | Keeps.Other;

    protected override string Extension => ".geojson";

    protected override bool RecognisesFile(FileProbe probe) => probe.Has("features");

    protected override bool IsFile(string path) => base.IsFile(path) || (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) && !Directory.Exists(path));

    protected override ImageAnnotations ReadFile(string path, ReadContext context)
    {
        using var pieces = JsonPieceReader.Open(path);
        var image = new AnnotationImage();
        Dictionary<string, JsonElement>? other = null;
        List<(Feature Feature, long Index, long Position)> features = [];
        bool any = false;
        while (pieces.Read(context.Cancellation))
        {
            switch (pieces.Property, pieces.Kind)
            {
                case ("features", PieceKind.Value):
                    throw pieces.FailExpectedList();
                case ("features", PieceKind.ListStart):
                    any = true;
                    break;
                case ("features", _):
                    features.Add((AnnotationJson.ReadPiece(pieces, ReadFeature, "feature"), pieces.Index, pieces.Position));
                    break;
                case (Picture, PieceKind.Value):
                    image = AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) => AnnotationJson.ReadImage(ref reader, "id", requireId: false));
                    break;
                case ("type", _):
                    break;
                case (_, PieceKind.Value):
                    AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) =>
                    {
                        JsonValues.ReadOther(ref reader, pieces.Property, ref other);
                        return true;
                    });
                    break;
            }
        }

        if (!any) throw pieces.Fail("the file has no \"features\"; a FeatureCollection was expected");
        if (image.FileName.Length == 0) image = image with { FileName = Path.GetFileNameWithoutExtension(path) };
        if (image.Width == 0 || image.Height == 0)
        {
            (int width, int height) = context.SizeOf(image.FileName, path);
            image = image with { Width = width, Height = height };
        }

        if (other is not null) image = image with { Other = other };
        List<Annotation> annotations = [];
        foreach ((Feature feature, long index, long position) in features)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            try
            {
                annotations.Add(Draw(feature, image, context));
            }
            catch (RleFormatException e)
            {
                throw pieces.Fail($"element {index} of \"features\": {e.Reason}", position, e);
            }
        }

        return new ImageAnnotations(image, annotations);
    }

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        using var file = new AtomicJsonFile(path);
        Utf8JsonWriter json = file.Json;
        json.WriteStartObject();
        json.WriteString("type"u8, "FeatureCollection");
        json.WritePropertyName(Picture);
        AnnotationJson.Write(json, image.Image, "id");
        json.WriteStartArray("features"u8);
        foreach (Annotation annotation in image.Annotations)
        {
            if (!context.Count(annotation, Keeps)) continue;
            AnnotationJson.CheckFinite(annotation);
            RleMask mask = annotation.Mask!;
            // Each region for itself has its holes beside it. Pixels that touch at a corner are two regions: a ring crosses itself nowhere.
            List<IReadOnlyList<MaskPolygon>> regions = [];
            foreach (RleMask region in mask.ConnectedComponents(PixelConnectivity.Four))
            {
                SimplifiedMask simple = PolygonSimplification.Simplify(region, context.Options.PolygonTolerance, context.Cancellation);
                context.Losses.AddLossOf(simple);
                regions.Add(simple.Polygons);
            }

            json.WriteStartObject();
            json.WriteString("type"u8, "Feature");
            if (annotation.Id is { } id) json.WriteNumber("id"u8, id);
            json.WriteStartObject("geometry"u8);
            json.WriteString("type"u8, regions.Count == 1 ? "Polygon" : "MultiPolygon");
            json.WritePropertyName("coordinates"u8);
            if (regions.Count != 1) json.WriteStartArray();
            foreach (IReadOnlyList<MaskPolygon> region in regions) WriteRings(json, region);
            if (regions.Count != 1) json.WriteEndArray();
            json.WriteEndObject();
            json.WriteStartObject("properties"u8);
            if (context.CategoryOf(annotation) is { Length: > 0 } category) json.WriteString("category"u8, category);
            json.WriteNumber("area"u8, annotation.AreaOrMaskArea);
            if (annotation.IsCrowd) json.WriteNumber("iscrowd"u8, 1);
            AnnotationJson.WriteKnown(json, annotation, withScores: true);
            JsonValues.WriteOther(json, annotation.Other);
            json.WriteEndObject();
            json.WriteEndObject();
            file.FlushIfLarge();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        file.Complete();
    }

    private static void WriteRings(Utf8JsonWriter json, IReadOnlyList<MaskPolygon> rings)
    {
        json.WriteStartArray();
        foreach (MaskPolygon ring in rings)
        {
            json.WriteStartArray();
            ReadOnlySpan<double> points = ring.Coordinates;
            for (int i = 0; i <= points.Length; i += 2)
            {
                json.WriteStartArray();
                json.WriteNumberValue(points[i % points.Length]);
                json.WriteNumberValue(points[(i % points.Length) + 1]);
                json.WriteEndArray();
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static Annotation Draw(Feature feature, AnnotationImage image, ReadContext context)
    {
        AnnotationData data = feature.Data;
        List<RleMask> parts = [];
        List<double[]> polygons = [];
        foreach (List<double[]> rings in feature.Polygons ?? [])
        {
            List<MaskPolygon> contours = [];
            foreach (double[] ring in rings)
            {
                if (ring.Length < 6) context.Losses.Add("polygons of fewer than three points");
                else contours.Add(new MaskPolygon(ring, isHole: contours.Count > 0));
            }

            RleMask part = RleMask.FromContours(contours, image.Width, image.Height, context.Cancellation);
            parts.Add(part);
            if (contours.Count == 1) polygons.Add(contours[0].ToArray());
        }

        RleMask? mask = feature.Polygons is null ? null : parts.Count == 0 ? RleMask.Empty(image.Width, image.Height) : RleMask.Union([.. parts]);
        bool plain = polygons.Count > 0 && feature.Polygons!.TrueForAll(rings => rings.Count == 1);
        Annotation annotation = data.Finish(image.Id, image.Width, image.Height, inclusiveBox: false, context.Losses, context.Cancellation);
        return annotation with
        {
            CategoryId = context.Categories.IdOf(feature.Category) ?? data.CategoryId,
            Mask = mask,
            Polygons = plain ? polygons : null,
        };
    }

    private static Feature ReadFeature(ref Utf8JsonReader reader)
    {
        JsonValues.RequireObject(ref reader, "a feature");
        var feature = new Feature();
        long? id = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "id" when reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long number):
                    id = number;
                    break;
                case "geometry" when reader.TokenType != JsonTokenType.Null:
                    ReadGeometry(ref reader, feature);
                    break;
                case "properties" when reader.TokenType != JsonTokenType.Null:
                    feature.Data = AnnotationJson.ReadAnnotation(ref reader);
                    break;
                default:
                    reader.TrySkip();
                    break;
            }
        }

        feature.Data.Id = id ?? feature.Data.Id;
        foreach (string name in (ReadOnlySpan<string>)["category", "label", "name"])
        {
            if (feature.Data.Other?.TryGetValue(name, out JsonElement value) is not true || value.ValueKind != JsonValueKind.String) continue;
            feature.Category = value.GetString()!;
            feature.Data.Other.Remove(name);
            break;
        }

        return feature;
    }

    private static void ReadGeometry(ref Utf8JsonReader reader, Feature feature)
    {
        JsonValues.RequireObject(ref reader, "a geometry");
        string type = "";
        JsonElement coordinates = default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (name == "type") type = JsonValues.ReadText(ref reader, name);
            else if (name == "coordinates") coordinates = JsonElement.ParseValue(ref reader);
            else reader.TrySkip();
        }

        if (type is not ("Polygon" or "MultiPolygon")) return; // points and lines enclose nothing
        if (coordinates.ValueKind != JsonValueKind.Array) throw new JsonValueException("the geometry has no \"coordinates\"; a list of rings was expected");
        feature.Polygons = [];
        if (type == "Polygon") feature.Polygons.Add(ReadRings(coordinates));
        else feature.Polygons.AddRange(coordinates.EnumerateArray().Select(ReadRings));
    }

    private static List<double[]> ReadRings(JsonElement rings)
    {
        List<double[]> found = [];
        foreach (JsonElement ring in List(rings, "a polygon"))
        {
            List<double> points = [];
            foreach (JsonElement point in List(ring, "a ring"))
            {
                JsonElement[] xy = [.. List(point, "a point")];
                if (xy.Length < 2 || xy[0].ValueKind != JsonValueKind.Number || xy[1].ValueKind != JsonValueKind.Number)
                    throw new JsonValueException("a point is not [x, y]");
                points.Add(xy[0].GetDouble());
                points.Add(xy[1].GetDouble());
            }

            // The last point is the first once more.
            if (points.Count >= 4 && points[0] == points[^2] && points[1] == points[^1]) points.RemoveRange(points.Count - 2, 2);
            found.Add([.. points]);
        }

        return found;

        static JsonElement.ArrayEnumerator List(JsonElement element, string what) => element.ValueKind == JsonValueKind.Array
            ? element.EnumerateArray() : throw new JsonValueException($"{what} is no list");
    }

    private sealed class Feature
    {
        public AnnotationData Data = new();
        public List<List<double[]>>? Polygons;
        public string Category = "";
    }
}
