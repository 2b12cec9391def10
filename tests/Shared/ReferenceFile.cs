using System.Runtime.InteropServices;
using System.Text.Json;

namespace SegmentAnything.TestSupport;

/// <summary>Reads the raw little-endian arrays that the reference data names in its JSON: file, dtype, shape.</summary>
internal static class ReferenceFile
{
    public static float[] ReadFloats(string folder, JsonElement description)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, description.GetProperty("file").GetString()!));
        return description.GetProperty("dtype").GetString() switch
        {
            "float32" => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            "float16" => [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(h => (float)h)],
            string other => throw new InvalidDataException($"Reference data of type {other}."),
            null => throw new InvalidDataException("Reference data without a type."),
        };
    }

    public static float[] Floats(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetSingle())];

    public static double MaxDifference(ReadOnlySpan<float> found, ReadOnlySpan<float> expected)
    {
        Assert.Equal(expected.Length, found.Length);
        double most = 0;
        for (int i = 0; i < found.Length; i++)
        {
            double difference = Math.Abs((double)found[i] - expected[i]);
            if (!(difference <= most)) most = difference; // NaN counts
        }

        return most;
    }
}
