using System.Globalization;
using System.Text.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Json;

/// <summary>
/// A "segmentation" as it stands in a file, before the size of its picture is known: run lengths, a list of them, polygons as
/// flat lists, nested lists or lists of points.
/// </summary>
internal sealed class SegmentationJson
{
    private static readonly SegmentationJson Nothing = new();

    private readonly List<double[]> _polygons = [];
    private readonly List<RunLengths> _runLengths = [];

    /// <summary>Whether there is none: null or an empty list.</summary>
    public bool IsNone => _polygons.Count == 0 && _runLengths.Count == 0;

    /// <summary>Reads one.</summary>
    /// <param name="reader">Stands on the value.</param>
    public static SegmentationJson Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Null) return Nothing;
        var found = new SegmentationJson();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            found._runLengths.Add(RunLengths.Read(ref reader));
            return found;
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            string value = JsonValues.Describe(ref reader);
            throw new JsonValueException($"\"segmentation\" is {value}; run lengths ({{\"size\": [height, width], \"counts\": ...}}) or a list of polygons was expected");
        }

        found.ReadList(ref reader, depth: 0);
        return found;
    }

    /// <summary>Draws the mask.</summary>
    /// <param name="width">Columns of the picture; 0 where they are unknown.</param>
    /// <param name="height">Rows of the picture; 0 where they are unknown.</param>
    /// <param name="losses">Counts polygons of fewer than three points, which enclose nothing.</param>
    /// <param name="cancellation">Looked at while polygons are drawn.</param>
    /// <returns>The mask, and the polygons where it was drawn from them alone.</returns>
    /// <exception cref="JsonValueException">It is no mask, or none of that size.</exception>
    public (RleMask? Mask, IReadOnlyList<double[]>? Polygons) Draw(int width, int height, AnnotationLosses losses, CancellationToken cancellation)
    {
        if (IsNone) return (null, null);
        List<RleMask> masks = [];
        foreach (RunLengths runs in _runLengths)
        {
            RleMask mask = runs.ToMask(width, height);
            (width, height) = (mask.Width, mask.Height);
            masks.Add(mask);
        }

        if (width == 0 || height == 0)
            throw new JsonValueException("the image has no size (width and height are 0 or missing), and polygons need one to be drawn in");
        if (_polygons.Count == 0) return (masks.Count == 1 ? masks[0] : RleMask.Union(masks), null);
        (RleMask drawn, IReadOnlyList<double[]>? kept) = DrawPolygons(_polygons, width, height, losses, cancellation);
        return masks.Count == 0 ? (drawn, kept) : (RleMask.Union([drawn, .. masks]), null);
    }

    /// <summary>Draws the union of polygons.</summary>
    /// <returns>The mask, and those polygons that have at least three points; null where there is none.</returns>
    public static (RleMask Mask, IReadOnlyList<double[]>? Polygons) DrawPolygons(
        IReadOnlyList<double[]> polygons, int width, int height, AnnotationLosses losses, CancellationToken cancellation)
    {
        List<double[]> kept = [];
        for (int i = 0; i < polygons.Count; i++)
        {
            double[] polygon = polygons[i];
            if (polygon.Length % 2 != 0) throw new JsonValueException($"polygon {i} has {polygon.Length} coordinates, an odd number; x and y of each point were expected");
            // As FromPolygon draws them, which does not know which polygon it is.
            const double Farthest = 1e8;
            int at = Array.FindIndex(polygon, c => !(Math.Abs(c) <= Farthest));
            if (at >= 0) throw new JsonValueException($"polygon {i}: coordinate {at} is {polygon[at]}; numbers from -1e8 to 1e8 can be drawn");
            if (polygon.Length >= 6) kept.Add(polygon);
            else losses.Add("polygons of fewer than three points");
        }

        return kept.Count == 0 ? (RleMask.Empty(width, height), null) : (RleMask.FromPolygons(kept, width, height, cancellation), kept);
    }

    /// <summary>Writes a mask as run lengths.</summary>
    public static void Write(Utf8JsonWriter json, RleMask mask) => Masks.Write(json, mask, RleJsonContext.Default.Options);

    /// <summary>Writes polygons.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<double[]> polygons)
    {
        json.WriteStartArray();
        foreach (double[] polygon in polygons)
        {
            json.WriteStartArray();
            foreach (double coordinate in polygon) json.WriteNumberValue(coordinate);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static readonly RleMaskJsonConverter Masks = new();

    // Numbers are one polygon, pairs its points; longer lists are polygons of their own; objects are run lengths.
    private void ReadList(ref Utf8JsonReader reader, int depth)
    {
        const int Deepest = 3;
        if (depth == Deepest) throw new JsonValueException("\"segmentation\" is nested too deep: a list of polygons was expected, each a list of numbers");
        List<double> numbers = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    _runLengths.Add(RunLengths.Read(ref reader));
                    break;
                case JsonTokenType.StartArray:
                    int before = _polygons.Count;
                    ReadList(ref reader, depth + 1);
                    // A list of two numbers within a polygon is a point of it.
                    if (depth > 0 && _polygons.Count == before + 1 && _polygons[^1] is [var x, var y])
                    {
                        _polygons.RemoveAt(before);
                        numbers.Add(x);
                        numbers.Add(y);
                    }

                    break;
                default:
                    numbers.Add(JsonValues.ReadCoordinate(ref reader, $"number {numbers.Count} of polygon {_polygons.Count} of \"segmentation\""));
                    break;
            }
        }

        if (numbers.Count > 0) _polygons.Add([.. numbers]);
    }

    /// <summary>Run lengths as they stand.</summary>
    private sealed class RunLengths
    {
        private int _width;
        private int _height;
        private byte[]? _text;
        private int[]? _runs;

        public static RunLengths Read(ref Utf8JsonReader reader)
        {
            var found = new RunLengths();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("size"u8))
                {
                    reader.Read();
                    found.ReadSize(ref reader);
                }
                else if (reader.ValueTextEquals("counts"u8))
                {
                    reader.Read();
                    found.ReadCounts(ref reader);
                }
                else
                {
                    reader.Read();
                    reader.TrySkip();
                }
            }

            if (found._text is null && found._runs is null)
                throw new JsonValueException("\"segmentation\" has no \"counts\"; {\"size\": [height, width], \"counts\": ...} was expected");
            return found;
        }

        public RleMask ToMask(int width, int height)
        {
            if (_width == 0 && _height == 0 && width > 0) (_width, _height) = (width, height);
            if (_width == 0 && _height == 0) throw new JsonValueException("\"size\" is missing; [height, width] was expected");
            if (width > 0 && (_width != width || _height != height))
                throw new JsonValueException($"the mask has {_width}x{_height} pixels (width x height), its image {width}x{height}");
            try
            {
                return _text is not null ? RleMask.FromCocoString(_text, _width, _height) : RleMask.FromCounts(_runs, _width, _height);
            }
            catch (RleFormatException e)
            {
                string hint = _runs is not null && LooksLikePairs(_runs)
                    ? "; these look like pairs of start and length, as Kaggle has them, and not like COCO's run lengths" : "";
                throw new JsonValueException($"\"counts\": {e.Reason}{hint}");
            }
        }

        private void ReadSize(ref Utf8JsonReader reader)
        {
            if (reader.TokenType == JsonTokenType.Null) return;
            JsonValues.RequireList(ref reader, "size");
            List<int> sizes = [];
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) sizes.Add(JsonValues.ReadSize(ref reader, "size"));
            if (sizes is not [var height, var width]) throw new JsonValueException($"\"size\" has {sizes.Count} numbers; [height, width] was expected");
            (_width, _height) = (width, height);
        }

        private void ReadCounts(ref Utf8JsonReader reader)
        {
            (_text, _runs) = (null, null);
            if (reader.TokenType == JsonTokenType.String)
            {
                if (!reader.ValueIsEscaped)
                {
                    _text = reader.ValueSpan.ToArray();
                    return;
                }

                byte[] text = new byte[reader.ValueSpan.Length];
                int length = reader.CopyString(text);
                _text = text[..length];
                return;
            }

            if (reader.TokenType != JsonTokenType.StartArray)
            {
                string value = JsonValues.Describe(ref reader);
                throw new JsonValueException($"\"counts\" is {value}; a text or a list of run lengths was expected");
            }

            List<int> runs = [];
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int run))
                {
                    runs.Add(run);
                    continue;
                }

                long? other = JsonValues.ReadInteger(ref reader, string.Create(CultureInfo.InvariantCulture, $"counts[{runs.Count}]"));
                if (other is not (>= int.MinValue and <= int.MaxValue))
                    throw new JsonValueException($"run {runs.Count} of \"counts\" is {other?.ToString(CultureInfo.InvariantCulture) ?? "null"}; a run is at most {int.MaxValue}, and no larger than the mask");
                runs.Add((int)other);
            }

            _runs = [.. runs];
        }

        private static bool LooksLikePairs(int[] runs)
        {
            if (runs.Length < 4 || runs.Length % 2 != 0) return false;
            for (int i = 2; i < runs.Length; i += 2)
            {
                if (runs[i] < (long)runs[i - 2] + runs[i - 1]) return false;
            }

            return true;
        }
    }
}
