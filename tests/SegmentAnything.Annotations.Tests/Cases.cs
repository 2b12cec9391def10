using System.Text;
using System.Text.RegularExpressions;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Tests;

/// <summary>What reading a file gave, in the words of the cases.</summary>
internal sealed record Reading(int Masks, int Empty, int WithoutMask, string? Error)
{
    // Whoever annotates does not know them.
    private static readonly Regex TypeNames = new(@"System\.|Exception|JsonTokenType|StartObject|Utf8|Int(32|64)|RleMask", RegexOptions.CultureInvariant);

    /// <summary>Reads a file in whatever form it has.</summary>
    public static Reading Of(string path, CancellationToken cancellation)
    {
        try
        {
            using AnnotationReader reader = AnnotationFormat.Detect(path, cancellation).OpenRead(path);
            Annotation[] all = [.. reader.ReadImages(cancellation).SelectMany(i => i.Annotations)];
            return new Reading(all.Count(a => a.Mask is { IsEmpty: false }), all.Count(a => a.Mask is { IsEmpty: true }), all.Count(a => a.Mask is null), null);
        }
        catch (AnnotationFormatException e)
        {
            Assert.Contains(Path.GetFileName(path), e.Message, StringComparison.Ordinal);
            Assert.DoesNotMatch(TypeNames, e.Message);
            return new Reading(0, 0, 0, e.Message);
        }
    }

    /// <summary>Compares with an expectation: <c>masks N [empty M] [without-mask M] [, or error ...]</c> or <c>error ...</c>.</summary>
    public void AssertIs(string expected)
    {
        bool mayFail = expected.StartsWith("error", StringComparison.Ordinal) || expected.Contains("or error", StringComparison.Ordinal);
        Match numbers = Regex.Match(expected, @"masks (\d+)(?: empty (\d+))?(?: without-mask (\d+))?");
        if (Error is not null)
        {
            Assert.True(mayFail, $"{expected}: {Error}");
            return;
        }

        Assert.True(numbers.Success, $"{expected}: read");
        Assert.Equal((Number(1), Number(2), Number(3)), (Masks, Empty, WithoutMask));

        int Number(int group) => numbers.Groups[group].Success ? int.Parse(numbers.Groups[group].Value) : 0;
    }
}

/// <summary>Masks and pictures for tests.</summary>
internal static class Make
{
    /// <summary>3x3 pixels at 1, 1 of 8x8.</summary>
    public static readonly RleMask Square = RleMask.FromCounts([9, 3, 5, 3, 5, 3, 36], 8, 8);

    /// <summary>5x5 pixels with a hole of 1, and two pixels that touch at a corner, in 12x9.</summary>
    public static readonly RleMask Holed = FromRows(
        "............", ".#####......", ".#####......", ".##.##...#..", ".#####....#.", ".#####......", "............", "............", "...........#");

    public static RleMask FromRows(params string[] rows) =>
        RleMask.FromBitmap([.. string.Concat(rows).Select(c => c == '#' ? (byte)1 : (byte)0)], rows[0].Length, rows.Length);

    /// <summary>Random pixels, of which one in four is in the mask.</summary>
    public static RleMask Random(Random random, int width, int height)
    {
        byte[] pixels = new byte[width * height];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)(random.Next(4) == 0 ? 1 : 0);
        return RleMask.FromBitmap(pixels, width, height);
    }

    public static Stream Text(string text) => new MemoryStream(Encoding.UTF8.GetBytes(text));

    public static string Read(string path) => File.ReadAllText(path);
}
