using System.Globalization;
using System.Net;
using System.Text;

namespace SegmentAnything.ModelTests.Readme;

/// <summary>The README's chart of speed: pairs of bars, drawn from the committed pages of results.</summary>
internal static class SpeedChart
{
    private const int Width = 720, Left = 20, BarsLeft = 190, BarsWidth = 420, Row = 62, Bar = 18, Top = 58;

    /// <summary>One row: what is done, the two times and their ratio, as the pages write them.</summary>
    private readonly record struct Pair(string Work, string Stock, string Ours, string Ratio)
    {
        public double Share => Milliseconds(Ours) / Milliseconds(Stock);
    }

    /// <summary>Draws the chart as SVG.</summary>
    /// <param name="folder">The folder of one processor's pages.</param>
    public static string Draw(string folder)
    {
        string[] stock = File.ReadAllLines(Path.Combine(folder, "StockRatios.md")), grid = File.ReadAllLines(Path.Combine(folder, "GridRatios.md"));
        string[] encode = Cells(stock, "pixels to embedding");
        string[] click = Cells(stock, "one click: one mask (stock), three masks (ours)");
        string[] batch = Cells(stock, "a prompt of a batch of 64: one mask (stock), three masks (ours)");
        string[] loop = Cells(grid, "the published files, one prompt a call, plain C# behind"), whole = Cells(grid, "ours");
        Pair[] pairs =
        [
            new("A picture, once", encode[1], encode[2], encode[3]),
            new("A click", click[1], click[2], click[3]),
            new("A prompt of 64 at once", batch[1], batch[2], batch[3]),
            new("Every object: 32x32 points", loop[1], whole[1], whole[2]),
        ];

        int height = Top + (pairs.Length * Row) + 34;
        var svg = new StringBuilder();
        svg.Append($"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{height}" viewBox="0 0 {Width} {height}" font-family="system-ui, sans-serif" font-size="13">
            <title>Time of the published ONNX files and of this library</title>
            <rect width="{Width}" height="{height}" rx="6" fill="#ffffff"/>
            <rect x="{BarsLeft}" y="20" width="{Bar}" height="{Bar}" fill="#b8bec6"/>
            <text x="{BarsLeft + 26}" y="34" fill="#333333">the published ONNX files on ONNX Runtime</text>
            <rect x="{BarsLeft + 300}" y="20" width="{Bar}" height="{Bar}" fill="#5b2bd0"/>
            <text x="{BarsLeft + 326}" y="34" fill="#333333">this library</text>

            """.ReplaceLineEndings("\n"));
        for (int i = 0; i < pairs.Length; i++)
        {
            Pair pair = pairs[i];
            int y = Top + (i * Row);
            int ours = Math.Max(2, (int)Math.Round(BarsWidth * pair.Share));
            string times = $"{pair.Ours}, {pair.Ratio.TrimEnd('x')} times as fast";
            svg.Append($"""
                <text x="{Left}" y="{y + 24}" fill="#111111">{WebUtility.HtmlEncode(pair.Work)}</text>
                <rect x="{BarsLeft}" y="{y}" width="{BarsWidth}" height="{Bar}" fill="#b8bec6"/>
                <text x="{BarsLeft + BarsWidth + 8}" y="{y + 14}" fill="#555555">{pair.Stock}</text>
                <rect x="{BarsLeft}" y="{y + Bar + 2}" width="{ours}" height="{Bar}" fill="#5b2bd0"/>
                <text x="{BarsLeft + ours + 8}" y="{y + Bar + 16}" fill="#111111" font-weight="600">{times}</text>

                """.ReplaceLineEndings("\n"));
        }

        string machine = string.Join(',', stock[2].Split(',')[..3]);
        svg.Append($"""
            <text x="{Left}" y="{height - 16}" fill="#555555" font-size="12">MobileSAM, {WebUtility.HtmlEncode(machine)}; from benchmarks/results, where the answers were compared first.</text>
            </svg>

            """.ReplaceLineEndings("\n"));
        return svg.ToString();
    }

    // The cells of the one row of a page's table that begins so.
    private static string[] Cells(string[] page, string first)
    {
        string line = Assert.Single(page, line => line.StartsWith($"| {first} |", StringComparison.Ordinal));
        return [.. line.Trim('|').Split('|').Select(cell => cell.Trim())];
    }

    // Times are written as "3.7 ms" or "2.72 s".
    private static double Milliseconds(string time)
    {
        string[] parts = time.Split(' ');
        double value = double.Parse(parts[0], CultureInfo.InvariantCulture);
        return parts[1] switch
        {
            "ms" => value,
            "s" => value * 1000,
            _ => throw new FormatException($"'{time}' is neither in ms nor in s."),
        };
    }
}
