using System.Text.Json;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Rle.Tests;

/// <summary>Reads the reference numbers.</summary>
internal static class Golden
{
    /// <summary>The cases of a committed file of tests/golden/rle.</summary>
    public static IEnumerable<JsonElement> Coco(string file) =>
        Parse(Path.Combine(TestPaths.CommittedGolden, "rle", file)).EnumerateArray();

    /// <summary>A file of the reference data that is not committed; skips the test when absent.</summary>
    public static JsonElement LowLevel(string file) => Parse(TestPaths.RequireGolden("lowlevel", file));

    /// <summary>The height and width of a case.</summary>
    public static (int Height, int Width) Size(JsonElement size) => (size[0].GetInt32(), size[1].GetInt32());

    /// <summary>Rows of '0' and '1' as a row-major bitmap.</summary>
    public static byte[] Bitmap(JsonElement rows) =>
        [.. rows.EnumerateArray().SelectMany(row => row.GetString()!.Select(pixel => (byte)(pixel - '0')))];

    /// <summary>Rows of '0' and '1' as a mask.</summary>
    public static RleMask Mask(JsonElement rows)
    {
        byte[] bitmap = Bitmap(rows);
        return RleMask.FromBitmap(bitmap, bitmap.Length / rows.GetArrayLength(), rows.GetArrayLength());
    }

    /// <summary>A COCO string of a size as a mask.</summary>
    public static RleMask Mask(JsonElement text, JsonElement size) =>
        RleMask.FromCocoString(text.GetString()!, size[1].GetInt32(), size[0].GetInt32());

    public static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetInt32())];

    public static float[] Floats(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetSingle())];

    public static double[] Doubles(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetDouble())];

    private static JsonElement Parse(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }
}
