using System.Runtime.InteropServices;

namespace SegmentAnything.Tests.Kernels;

/// <summary>Inputs for the mask kernels: every path of each gives the bits of its scalar definition.</summary>
internal static class MaskKernelData
{
    private const int Seed = 20240703;

    // Source, target, wanted: enlarging by little and much, shrinking by little, by two, by much, not at all; one position.
    public static TheoryData<int, int, int> Axes => new()
    {
        { 256, 1024, 683 }, { 683, 1200, 1200 }, { 1024, 1800, 1800 }, { 1023, 769, 769 }, { 684, 534, 534 },
        { 1024, 513, 513 }, { 1024, 300, 300 }, { 1024, 3, 3 }, { 64, 64, 64 }, { 1, 77, 77 }, { 5, 4096, 4096 }, { 9, 1, 1 },
    };

    internal static float[] Values(int count)
    {
        Random random = new(Seed + count);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 12) - 6)];
    }

    internal static void EqualBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> found) =>
        Assert.True(MemoryMarshal.Cast<float, int>(expected).SequenceEqual(MemoryMarshal.Cast<float, int>(found)), $"seed {Seed}");
}
