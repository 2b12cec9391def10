using System.Runtime.InteropServices;
using System.Text.Json;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.References;

/// <summary>Reads reference data: JSON beside raw little-endian arrays.</summary>
internal static class GoldenJson
{
    public static JsonElement Read(params ReadOnlySpan<string> parts)
    {
        using FileStream stream = File.OpenRead(TestPaths.RequireGolden(parts));
        using JsonDocument document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }

    public static int[] Ints(this JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetInt32())];

    public static byte[] Bytes(this JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetByte())];

    /// <summary>Null stands for NaN.</summary>
    public static float[] Floats(this JsonElement list) =>
        [.. list.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.Null ? float.NaN : e.GetSingle())];

    public static double[] Doubles(this JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetDouble())];

    public static JsonElement[] Items(this JsonElement list) => [.. list.EnumerateArray()];

    /// <summary>A size written as height, width.</summary>
    public static ImageSize SizeHw(this JsonElement list) => new(list[1].GetInt32(), list[0].GetInt32());

    public static float[] ReadFloats(string folder, JsonElement description)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, description.GetProperty("file").GetString()!));
        return description.GetProperty("dtype").GetString() == "float32"
            ? MemoryMarshal.Cast<byte, float>(bytes).ToArray()
            : [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(h => (float)h)];
    }

    /// <summary>Rows of '0' and '1', from the top, as bytes.</summary>
    public static (byte[] Pixels, int Width, int Height) Bitmap(this JsonElement rows)
    {
        string[] lines = [.. rows.EnumerateArray().Select(r => r.GetString()!)];
        return ([.. lines.SelectMany(l => l).Select(c => (byte)(c - '0'))], lines[0].Length, lines.Length);
    }
}
