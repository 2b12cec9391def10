using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SegmentAnything;

/// <summary>Type information made at compile time: no reflection when reading or writing.</summary>
[JsonSerializable(typeof(Sa1bImage))]
[JsonSerializable(typeof(Sa1bAnnotation))]
[JsonSerializable(typeof(CocoImage))]
[JsonSerializable(typeof(CocoCategory))]
[JsonSerializable(typeof(CocoAnnotation))]
internal sealed partial class AnnotationJsonContext : JsonSerializerContext
{
    /// <summary>COCO's text is full of characters that only matter inside HTML, which this is not: left as they are.</summary>
    public static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
