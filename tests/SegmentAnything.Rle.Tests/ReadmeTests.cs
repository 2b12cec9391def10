using System.Text.Json;
using System.Text.RegularExpressions;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Rle.Tests;

/// <summary>The package's README: its example and every line of its migration table, compiled and run.</summary>
public partial class ReadmeTests
{
    // Named as in the README.
    private static int width => 5;

    private static int height => 4;

    private static RleMask rle => RleMask.FromBitmap(a, width, height);

    private static RleMask r => RleMask.FromBox(new MaskBox(0, 0, 3, 3), width, height);

    private static RleMask s => RleMask.FromBox(new MaskBox(2, 1, 3, 3), width, height);

    private static RleMask[] rles => [r, s];

    private static float[] scores => [0.9f, 0.8f];

    private static float[] boxes => [0, 0, 3, 3, 2, 1, 5, 4];

    private static byte[] a =>
    [
        0, 1, 1, 0, 0,
        0, 1, 1, 0, 0,
        0, 0, 1, 0, 0,
        0, 0, 0, 0, 1,
    ];

    /// <summary>The right column of the table, letter by letter, and what pycocotools answers to the left one.</summary>
    private static readonly (string Code, Func<object> Run, object Expected)[] Lines =
    [
        Line(() => RleMask.FromBitmap(a, width, height), RleMask.FromCounts([4, 2, 2, 3, 8, 1], 5, 4)),
        Line(() => rle.ToBitmap(), a),
        Line(() => rle.Area, 6L),
        Line(() => rle.BoundingBox, new MaskBox(1, 0, 4, 4)),
        Line(() => r.Union(s), RleMask.FromCounts([0, 3, 1, 3, 1, 4, 1, 3, 1, 3], 5, 4)),
        Line(() => RleMask.Union(rles), RleMask.FromCounts([0, 3, 1, 3, 1, 4, 1, 3, 1, 3], 5, 4)),
        Line(() => RleMask.Intersection(rles), RleMask.FromCounts([9, 2, 9], 5, 4)),
        Line(() => IouMatrix.Masks(dt, gt, iscrowd), new[,] { { 2 / 16.0, 1.0 } }),
        Line(() => IouMatrix.Boxes(dtBoxes, gtBoxes, iscrowd), new[,] { { 2 / 16.0, 1.0 } }),
        Line(() => RleMask.FromPolygon(polygon, width, height), RleMask.FromBox(new MaskBox(1, 1, 3, 2), 5, 4)),
        Line(() => RleMask.FromPolygons(polygons, width, height), RleMask.FromCounts([0, 1, 4, 2, 2, 2, 2, 2, 5], 5, 4)),
        Line(() => RleMask.FromBox(x, y, w, h, width, height), RleMask.FromBox(new MaskBox(1, 1, 3, 2), 5, 4)),
        Line(() => RleMask.FromCounts(counts, width, height), rle),
        Line(() => rle.ToCocoUtf8(), "42216N"u8.ToArray()),
        Line(() => rle.ToCocoString(), "42216N"),
        Line(() => RleMask.FromCocoString(text, width, height), rle),
        Line(() => JsonSerializer.Serialize(rle, RleJsonContext.Default.RleMask), """{"size":[4,5],"counts":"42216N"}"""),
        Line(() => NonMaximumSuppression.Masks(rles, scores, 0.5), new[] { 0, 1 }),
        Line(() => NonMaximumSuppression.Boxes(boxes, scores, 0.5), new[] { 0, 1 }),
        Line(() => rle.Complement(), RleMask.FromCounts([0, 4, 2, 2, 3, 8, 1], 5, 4)),
    ];

    private static RleMask[] dt => [r];

    private static RleMask[] gt => [s, RleMask.Full(width, height)];

    private static bool[] iscrowd => [false, true];

    private static double[] dtBoxes => [0, 0, 3, 3];

    private static double[] gtBoxes => [2, 1, 3, 3, 0, 0, 5, 4];

    private static double[] polygon => [1, 1, 1, 3, 4, 3, 4, 1];

    private static double[][] polygons => [polygon, [0, 0, 0, 1, 1, 1, 1, 0]];

    private static double x => 1;

    private static double y => 1;

    private static double w => 3;

    private static double h => 2;

    private static int[] counts => [4, 2, 2, 3, 8, 1];

    private static string text => "42216N";

    [Fact]
    public void MigrationTable_EveryLine_GivesThePycocotoolsAnswer()
    {
        string[] table = [.. ReadmeLines().Select(line => TableLine().Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value)];
        Assert.Equal(Lines.Select(line => line.Code), table);
        foreach ((string code, Func<object> run, object expected) in Lines)
        {
            object answer = run();
            Assert.True(answer is double[,] matrix ? matrix.Cast<double>().SequenceEqual(((double[,])expected).Cast<double>())
                : answer is Array array ? array.Cast<object>().SequenceEqual(((Array)expected).Cast<object>())
                : answer.Equals(expected), $"{code} gives {answer}, expected {expected}");
        }
    }

    [Fact]
    public void Example_OfTheReadme_Runs()
    {
        byte[] pixels = a;
        RleMask cup = RleMask.FromBitmap(pixels, width, height);     // row-major bytes, any stride
        RleMask table = RleMask.FromCocoString(text, width, height); // the "counts" of an annotation
        double overlap = cup.IntersectionOverUnion(table);
        string counts = cup.Union(table).ToCocoString();
        Assert.Equal(1, overlap);
        Assert.Equal(text, counts);

        string[] example = [.. ReadmeLines().SkipWhile(line => line != "```csharp").Skip(1).TakeWhile(line => line != "```")];
        string source = File.ReadAllText(Path.Combine(TestPaths.Repository, "tests", "SegmentAnything.Rle.Tests", "ReadmeTests.cs"));
        foreach (string line in example) Assert.Contains("        " + line + "\n", source, StringComparison.Ordinal);
    }

    private static (string Code, Func<object> Run, object Expected) Line<T>(
        Func<T> run, object expected, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(run))] string code = "")
        where T : notnull => (code["() => ".Length..], () => run(), expected);

    private static string[] ReadmeLines() =>
        File.ReadAllLines(Path.Combine(TestPaths.Repository, "src", "SegmentAnything.Rle", "README.md"));

    // The last code span of a line of the migration table.
    [GeneratedRegex(@"^\| `.*`.* \| `([^`]*)` \|$")]
    private static partial Regex TableLine();
}
