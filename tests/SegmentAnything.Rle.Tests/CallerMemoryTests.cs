using System.Text;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Rle.Tests;

/// <summary>Text and matrices written into the caller's memory: the same as in new arrays, and nothing beside it.</summary>
public class CallerMemoryTests
{
    [Fact]
    public void ToCocoUtf8_IntoMemoryOfAnyLength_EqualsTheArray()
    {
        foreach ((string name, _, RleMask mask) in MaskData.All())
        {
            byte[] expected = mask.ToCocoUtf8();
            foreach (int length in new[] { expected.Length, expected.Length + 5, 7 * mask.Counts.Length, (7 * mask.Counts.Length) + 8 })
            {
                if (length < expected.Length) continue;
                using var text = new BoundedMemory<byte>(length);
                Assert.True(expected.Length == mask.ToCocoUtf8(text.Span), name);
                Assert.True(expected.AsSpan().SequenceEqual(text.Span[..expected.Length]), name);
            }

            var tooShort = new byte[expected.Length - 1];
            Assert.Contains($"{expected.Length} are needed", Assert.Throws<ArgumentException>(() => mask.ToCocoUtf8(tooShort)).Message);
        }
    }

    [Fact]
    public void CocoStringToCounts_OfAnyText_EqualsTheRunsOfTheMask()
    {
        foreach ((string name, _, RleMask mask) in MaskData.All())
        {
            using BoundedMemory<byte> text = BoundedMemory.CopyOf<byte>(mask.ToCocoUtf8());
            using var counts = new BoundedMemory<int>(mask.Counts.Length);
            Assert.True(mask.Counts.Length == RleMask.CocoStringToCounts(text.Span, mask.Width, mask.Height, counts.Span), name);
            Assert.True(mask.Counts.SequenceEqual(counts.Span), name);
            byte[] copy = text.Span.ToArray();
            var tooShort = new int[mask.Counts.Length - 1];
            Assert.Throws<ArgumentException>(() => RleMask.CocoStringToCounts(copy, mask.Width, mask.Height, tooShort));
        }

        // Runs of length 0 are left out: 2 0 3 7 (the fourth is the difference to run 1).
        byte[] zeros = Encoding.ASCII.GetBytes("2037");
        var runs = new int[4];
        Assert.Equal(2, RleMask.CocoStringToCounts(zeros, 4, 3, runs));
        Assert.Equal([5, 7], runs[..2]);
        Assert.Throws<RleFormatException>(() => RleMask.CocoStringToCounts(zeros, 4, 4, runs));
        Assert.Throws<RleFormatException>(() => RleMask.CocoStringToCounts(zeros, 0, 4, runs));
    }

    [Fact]
    public void Text_InTheCallersMemory_AllocatesNoManagedMemory()
    {
        RleMask mask = RleMask.FromBitmap(MaskData.Blobs(200, 150, seed: 4, count: 5), 200, 150);
        byte[] text = new byte[(7 * mask.Counts.Length) + 8];
        int[] counts = new int[mask.Counts.Length];
        long allocated = 0;
        for (int round = 0; round < 2; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            int length = mask.ToCocoUtf8(text);
            RleMask.CocoStringToCounts(text.AsSpan(0, length), mask.Width, mask.Height, counts);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
        Assert.True(mask.Counts.SequenceEqual(counts));
    }

    [Fact]
    public void IouMatrix_IntoMemory_EqualsTheArrayAndLeavesTheRest()
    {
        RleMask[] detections = [.. Enumerable.Range(0, 7).Select(Some)], truths = [.. Enumerable.Range(100, 11).Select(Some)];
        bool[] isCrowd = [.. Enumerable.Range(0, truths.Length).Select(g => g % 3 == 0)];
        double[,] expected = IouMatrix.Masks(detections, truths, isCrowd);
        double[] written = new double[expected.Length + 3];
        written.AsSpan().Fill(-1);
        IouMatrix.Masks(detections, truths, isCrowd, written);
        Assert.Equal(expected.Cast<double>(), written[..expected.Length]);
        Assert.Contains(expected.Cast<double>(), ratio => ratio > 0);
        Assert.Contains(expected.Cast<double>(), ratio => ratio == 0);
        Assert.Equal([-1, -1, -1], written[expected.Length..]);
        Assert.Throws<ArgumentException>(() => IouMatrix.Masks(detections, truths, isCrowd, written.AsSpan(0, expected.Length - 1)));
        Assert.Throws<ArgumentException>(() => IouMatrix.Masks(detections, truths, [true], written));
        IouMatrix.Masks([], truths, default, []);
        Assert.Empty(IouMatrix.Masks(detections, []));

        static RleMask Some(int seed) => RleMask.FromBitmap(MaskData.Blobs(60, 40, seed, 1 + (seed % 2)), 60, 40);
    }
}
