using System.Globalization;
using System.Xml.Linq;
using SegmentAnything.Imaging;

namespace SegmentAnything.Cli.Tests;

public class LinePlotTests
{
    [Fact]
    public void ToSvg_Lines_AreDrawnToScaleWithTheirNames()
    {
        PlotLine[] lines = [new("a <b> & \"c\"", [(1, 0), (5, 0.5), (9, 1)]), new("flat", [(1, 0.25), (9, 0.25)])];
        XElement svg = XDocument.Parse(LinePlot.ToSvg("title", "points", "mIoU", lines, (0, 1))).Root!;

        double[][] drawn = [.. svg.Elements().Where(e => e.Name.LocalName == "polyline").Select(e => e.Attribute("points")!.Value.Split(' ', ',').Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray())];
        Assert.Equal(2, drawn.Length);
        double[] first = drawn[0];
        Assert.Equal((first[0] + first[4]) / 2, first[2], 0.01);
        Assert.Equal((first[1] + first[5]) / 2, first[3], 0.01);
        Assert.True(first[5] < first[1]); // 1 is above 0
        Assert.Equal(first[1] + ((first[5] - first[1]) / 4), drawn[1][1], 0.01);
        string[] texts = [.. svg.Descendants().Where(e => e.Name.LocalName == "text").Select(e => e.Value)];
        Assert.Contains("a <b> & \"c\"", texts);
        Assert.Contains("0.5", texts);
        Assert.Contains("9", texts);
    }

    [Fact]
    public void ToSvg_OnePointOrNone()
    {
        Assert.NotNull(XDocument.Parse(LinePlot.ToSvg("t", "x", "y", [new("a", [(3, 7)])])).Root);
        Assert.Throws<ArgumentException>(() => LinePlot.ToSvg("t", "x", "y", [new("a", [])]));
        Assert.Throws<ArgumentException>(() => LinePlot.ToSvg("t", "x", "y", [new("a", [(double.NaN, 1)])]));
    }
}
