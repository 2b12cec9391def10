using System.Globalization;
using System.Security;
using System.Text;

namespace SegmentAnything.Imaging;

/// <summary>A line of a plot.</summary>
/// <param name="Name">What the legend calls it.</param>
/// <param name="Points">Its points, from left to right.</param>
public sealed record PlotLine(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Plots lines as an SVG drawing, such as a quality over the number of clicks.</summary>
/// <remarks>
/// These few lines take the place of a library for charts: those there are draw pixels through native libraries of their own, or
/// cannot be compiled ahead of time, and all that is wanted is axes, lines and a legend.
/// </remarks>
public static class LinePlot
{
    private const int Width = 720, Height = 440, Left = 64, Right = 24, Top = 44, Bottom = 56, LegendRow = 18, MostTicks = 10;

    /// <summary>Draws a plot.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="xTitle">What is to the right.</param>
    /// <param name="yTitle">What is upwards.</param>
    /// <param name="lines">The lines; each has its colour by its place.</param>
    /// <param name="yRange">The least and the greatest value upwards; those of the lines when null.</param>
    /// <returns>An SVG file's text, which needs no other file.</returns>
    /// <exception cref="ArgumentException">There is no point, or one that is not a finite number.</exception>
    public static string ToSvg(string title, string xTitle, string yTitle, IReadOnlyList<PlotLine> lines, (double Least, double Most)? yRange = null)
    {
        ArgumentNullException.ThrowIfNull(lines);
        (double X, double Y)[] all = [.. lines.SelectMany(line => line.Points)];
        if (all.Length == 0) throw new ArgumentException("There is no point to be drawn.", nameof(lines));
        if (all.Any(point => !double.IsFinite(point.X) || !double.IsFinite(point.Y))) throw new ArgumentException("A point is not a finite number.", nameof(lines));
        (double x0, double x1) = Widened(all.Min(point => point.X), all.Max(point => point.X));
        (double y0, double y1) = yRange is { } range ? (range.Least, range.Most) : Widened(all.Min(point => point.Y), all.Max(point => point.Y));
        int height = Height + (LegendRow * lines.Count);

        var svg = new StringBuilder();
        svg.Append(Text($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{height}\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n"));
        svg.Append(Text($"<rect width=\"{Width}\" height=\"{height}\" fill=\"#fff\"/>\n"));
        svg.Append(Text($"<text x=\"{Width / 2}\" y=\"26\" text-anchor=\"middle\" font-size=\"16\">{Escape(title)}</text>\n"));
        foreach (double tick in Ticks(x0, x1))
        {
            svg.Append(Text($"<path d=\"M{X(tick):0.#} {Top}V{Height - Bottom}\" stroke=\"#ddd\"/>"));
            svg.Append(Text($"<text x=\"{X(tick):0.#}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{tick:0.######}</text>\n"));
        }

        foreach (double tick in Ticks(y0, y1))
        {
            svg.Append(Text($"<path d=\"M{Left} {Y(tick):0.#}H{Width - Right}\" stroke=\"#ddd\"/>"));
            svg.Append(Text($"<text x=\"{Left - 8}\" y=\"{Y(tick) + 4:0.#}\" text-anchor=\"end\">{tick:0.######}</text>\n"));
        }

        svg.Append(Text($"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 14}\" text-anchor=\"middle\">{Escape(xTitle)}</text>\n"));
        svg.Append(Text($"<text transform=\"translate(18 {(Top + Height - Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\">{Escape(yTitle)}</text>\n"));
        for (int i = 0; i < lines.Count; i++)
        {
            RgbColor color = RgbColor.OfLabel(i);
            IEnumerable<string> points = lines[i].Points.Select(point => Text($"{X(point.X):0.##},{Y(point.Y):0.##}"));
            svg.Append(Text($"<polyline points=\"{string.Join(' ', points)}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\n"));
            int y = Height + (LegendRow * i) + 4;
            svg.Append(Text($"<path d=\"M{Left} {y - 4}h24\" stroke=\"{color}\" stroke-width=\"3\"/><text x=\"{Left + 32}\" y=\"{y}\">{Escape(lines[i].Name)}</text>\n"));
        }

        return svg.Append("</svg>\n").ToString();

        double X(double value) => Left + ((value - x0) / (x1 - x0) * (Width - Left - Right));
        double Y(double value) => Height - Bottom - ((value - y0) / (y1 - y0) * (Height - Top - Bottom));
    }

    private static (double Least, double Most) Widened(double least, double most) => least < most ? (least, most) : (least - 0.5, most + 0.5);

    // Round numbers: steps of 1, 2 or 5 times a power of ten.
    private static IEnumerable<double> Ticks(double least, double most)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10((most - least) / MostTicks)));
        double step = new[] { 1, 2, 5, 10 }.Select(factor => factor * power).First(each => (most - least) / each <= MostTicks);
        for (double place = Math.Ceiling((least / step) - 1e-9); place * step <= most + (step * 1e-9); place++) yield return place * step;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Escape(string text) => SecurityElement.Escape(string.Concat(text.Where(c => !char.IsControl(c))));
}
