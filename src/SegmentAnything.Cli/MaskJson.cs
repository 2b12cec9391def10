using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli;

/// <summary>Writes predicted masks as JSON.</summary>
internal static class MaskJson
{
    // COCO's text is full of characters that only matter inside HTML, which this is not: left as they are.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>An array with one object a mask, one a line.</summary>
    /// <remarks>
    /// <c>{"segmentation":{"size":[h,w],"counts":"…"},"area":…,"bbox":[x,y,w,h],"predicted_iou":…,"stability_score":…,
    /// "prompt":{"points":[[x,y,label],…],"box":[x0,y0,x1,y1],"mask":{"size":[h,w],"counts":"…"}}}</c>: counts are COCO's compressed text, the box spans whole
    /// pixels as in COCO, a stability score that does not exist (nothing is near the mask) is null.
    /// </remarks>
    public static string Write(IEnumerable<(PredictedMask Mask, Prompt Prompt)> masks)
    {
        var text = new StringBuilder("[");
        string separator = "\n";
        foreach ((PredictedMask mask, Prompt prompt) in masks)
        {
            text.Append(separator).Append(Write(mask, prompt));
            separator = ",\n";
        }

        return text.Append("\n]\n").ToString();
    }

    private static string Write(PredictedMask predicted, Prompt prompt)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            RleMask mask = predicted.Mask;
            json.WriteStartObject();
            WriteMask(json, "segmentation", mask);
            json.WriteNumber("area", mask.Area);
            MaskBox box = mask.BoundingBox;
            WriteArray(json, "bbox", box.X, box.Y, box.Width, box.Height);
            WriteScore(json, "predicted_iou", predicted.PredictedIou);
            WriteScore(json, "stability_score", predicted.StabilityScore);
            WritePrompt(json, prompt);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static void WritePrompt(Utf8JsonWriter json, Prompt prompt)
    {
        json.WriteStartObject("prompt");
        if (!prompt.Points.IsEmpty)
        {
            json.WriteStartArray("points");
            foreach (PointPrompt point in prompt.Points)
            {
                json.WriteStartArray();
                json.WriteNumberValue(point.X);
                json.WriteNumberValue(point.Y);
                json.WriteNumberValue(point.Label == PointLabel.Foreground ? 1 : 0);
                json.WriteEndArray();
            }

            json.WriteEndArray();
        }

        if (prompt.BoxInSource is { } box) WriteArray(json, "box", box.X0, box.Y0, box.X1, box.Y1);
        if (prompt.MaskInSource is { } mask) WriteMask(json, "mask", mask);
        json.WriteEndObject();
    }

    private static void WriteMask(Utf8JsonWriter json, string name, RleMask mask)
    {
        json.WriteStartObject(name);
        WriteArray(json, "size", mask.Height, mask.Width);
        json.WriteString("counts", mask.ToCocoString());
        json.WriteEndObject();
    }

    private static void WriteArray(Utf8JsonWriter json, string name, params ReadOnlySpan<float> values)
    {
        json.WriteStartArray(name);
        foreach (float value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static void WriteScore(Utf8JsonWriter json, string name, float value)
    {
        if (float.IsFinite(value)) json.WriteNumber(name, value);
        else json.WriteNull(name);
    }
}
