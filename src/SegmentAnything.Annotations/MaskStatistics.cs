using System.Globalization;
using System.Text;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations;

/// <summary>Statistics of a set of masks, as the paper's analysis of its data set has them.</summary>
/// <remarks>
/// Add images one after the other, then read the numbers or <see cref="ToReport"/>. Twelve bytes a mask are kept, the
/// masks themselves are not. Source: Kirillov et al., Segment Anything (2023), section 5, figures 5 and 6.
/// </remarks>
public sealed class MaskStatistics
{
    /// <summary>Parts that the range of <see cref="CenterHistogram"/> is divided into along each side.</summary>
    public const int CenterBins = 10;

    private readonly List<int> _masksPerImage = [];
    private readonly List<float> _relativeSizes = [];
    private readonly List<float> _concavities = [];
    private readonly long[] _centers = new long[CenterBins * CenterBins];

    /// <summary>How many images were added.</summary>
    public int ImageCount => _masksPerImage.Count;

    /// <summary>How many masks were added, empty ones included.</summary>
    public long MaskCount { get; private set; }

    /// <summary>How many of them have no pixel; they count in none of the distributions below.</summary>
    public long EmptyMaskCount { get; private set; }

    /// <summary>How many annotations have a box at most and no mask; they are no masks.</summary>
    public long AnnotationsWithoutMask { get; private set; }

    /// <summary>Masks of an image.</summary>
    public ValueDistribution MasksPerImage => ValueDistribution.Of(_masksPerImage.Select(n => (double)n));

    /// <summary>The square root of mask area / image area, 0 to 1.</summary>
    public ValueDistribution RelativeSize => ValueDistribution.Of(_relativeSizes.Select(v => (double)v));

    /// <summary>1 - mask area / area of its convex hull: 0 for convex masks.</summary>
    public ValueDistribution Concavity => ValueDistribution.Of(_concavities.Select(v => (double)v));

    /// <summary>
    /// Where the centres of the masks lie: <see cref="CenterBins"/> x CenterBins counts (rows, columns), the image's
    /// width and height each divided into equal parts.
    /// </summary>
    public IReadOnlyList<long> CenterHistogram => _centers;

    /// <summary>Adds everything that a reader reads. Of the large formats a mask at a time is in memory.</summary>
    /// <param name="reader">Stands at its start.</param>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <exception cref="AnnotationFormatException">The file is malformed.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void Add(AnnotationReader reader, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        if (reader is CocoReader coco)
        {
            Dictionary<long, int> masksOf = [];
            foreach (Annotation annotation in coco.ReadAnnotations(cancellationToken))
            {
                int masks = masksOf.GetValueOrDefault(annotation.ImageId);
                masksOf[annotation.ImageId] = AddAnnotation(annotation) ? masks + 1 : masks;
            }

            foreach (long image in coco.Images.Keys) AddImage(masksOf.GetValueOrDefault(image));
            return;
        }

        if (reader is Sa1bReader sa1b)
        {
            AddImage(sa1b.ReadAnnotations(cancellationToken).Count(AddAnnotation));
            return;
        }

        foreach (ImageAnnotations image in reader.ReadImages(cancellationToken)) AddImage(image.Annotations.Count(AddAnnotation));
    }

    /// <summary>Adds an image and its masks.</summary>
    /// <param name="masks">The masks, each as large as the image.</param>
    public void AddImage(IEnumerable<RleMask> masks)
    {
        ArgumentNullException.ThrowIfNull(masks);
        int count = 0;
        foreach (RleMask mask in masks)
        {
            count++;
            AddMask(mask);
        }

        _masksPerImage.Add(count);
    }

    /// <summary>Adds an image whose masks are added one by one with <see cref="AddMask"/>.</summary>
    /// <param name="maskCount">How many masks it has.</param>
    public void AddImage(int maskCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maskCount);
        _masksPerImage.Add(maskCount);
    }

    /// <summary>Adds a mask of an image that is counted by <see cref="AddImage(int)"/>.</summary>
    /// <param name="mask">A mask as large as its image.</param>
    public void AddMask(RleMask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        MaskCount++;
        if (mask.IsEmpty)
        {
            EmptyMaskCount++;
            return;
        }

        _relativeSizes.Add((float)Math.Sqrt(mask.Area / ((double)mask.Width * mask.Height)));
        _concavities.Add((float)mask.Concavity);
        MaskPoint center = mask.Centroid;
        int column = Math.Min((int)((center.X + 0.5) / mask.Width * CenterBins), CenterBins - 1);
        int row = Math.Min((int)((center.Y + 0.5) / mask.Height * CenterBins), CenterBins - 1);
        _centers[(row * CenterBins) + column]++;
    }

    private bool AddAnnotation(Annotation annotation)
    {
        if (annotation.Mask is null) AnnotationsWithoutMask++;
        else AddMask(annotation.Mask);
        return annotation.Mask is not null;
    }

    /// <summary>The statistics as a few lines of text.</summary>
    public string ToReport()
    {
        var report = new StringBuilder();
        report.Append(CultureInfo.InvariantCulture, $"images            {ImageCount}\n");
        report.Append(CultureInfo.InvariantCulture, $"masks             {MaskCount}");
        if (EmptyMaskCount > 0) report.Append(CultureInfo.InvariantCulture, $" ({EmptyMaskCount} of them empty)");
        if (AnnotationsWithoutMask > 0) report.Append(CultureInfo.InvariantCulture, $"\nwithout a mask    {AnnotationsWithoutMask}");
        report.Append("\n\n                      mean   least     25%     50%     75%    most\n");
        AppendRow(report, "masks per image", MasksPerImage, "F1");
        AppendRow(report, "relative size", RelativeSize, "F3");
        AppendRow(report, "concavity", Concavity, "F3");

        report.Append("\nmasks per image   ");
        (string Name, int Most)[] groups = [("up to 10", 10), ("to 50", 50), ("to 100", 100), ("to 200", 200), ("more", int.MaxValue)];
        int least = -1;
        foreach ((string name, int most) in groups)
        {
            report.Append(CultureInfo.InvariantCulture, $"{(least < 0 ? "" : ", ")}{name}: {Percent(_masksPerImage.Count(n => n > least && n <= most), ImageCount)}");
            least = most;
        }

        long located = Math.Max(MaskCount - EmptyMaskCount, 1);
        report.Append("\n\ncentres of masks, per cent of them in each tenth of the width and the height\n");
        for (int row = 0; row < CenterBins; row++)
        {
            for (int column = 0; column < CenterBins; column++)
                report.Append(CultureInfo.InvariantCulture, $"{100.0 * _centers[(row * CenterBins) + column] / located,6:F1}");
            report.Append('\n');
        }

        return report.ToString();
    }

    private static void AppendRow(StringBuilder report, string name, ValueDistribution values, string format)
    {
        report.Append(CultureInfo.InvariantCulture, $"{name,-18}");
        foreach (double value in (ReadOnlySpan<double>)[values.Mean, values.Least, values.LowerQuartile, values.Median, values.UpperQuartile, values.Most])
            report.Append(CultureInfo.InvariantCulture, $"{(double.IsNaN(value) ? "-" : value.ToString(format, CultureInfo.InvariantCulture)),8}");
        report.Append('\n');
    }

    private static string Percent(int count, int total) =>
        total == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * count / total:F0} %");
}

/// <summary>How values are spread. All numbers are NaN where there are no values.</summary>
/// <param name="Count">How many values there are.</param>
/// <param name="Mean">Their mean.</param>
/// <param name="Least">The least.</param>
/// <param name="LowerQuartile">A quarter of them is not greater.</param>
/// <param name="Median">Half of them are not greater.</param>
/// <param name="UpperQuartile">Three quarters of them are not greater.</param>
/// <param name="Most">The greatest.</param>
public readonly record struct ValueDistribution(
    int Count, double Mean, double Least, double LowerQuartile, double Median, double UpperQuartile, double Most)
{
    /// <summary>Describes values. Quantiles between two values are interpolated.</summary>
    /// <param name="values">The values, in any order.</param>
    public static ValueDistribution Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0) return new ValueDistribution(0, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN);
        return new ValueDistribution(
            sorted.Length, sorted.Average(), sorted[0], Quantile(sorted, 0.25), Quantile(sorted, 0.5), Quantile(sorted, 0.75), sorted[^1]);
    }

    private static double Quantile(double[] sorted, double part)
    {
        double position = part * (sorted.Length - 1);
        int index = (int)position;
        int next = Math.Min(index + 1, sorted.Length - 1);
        return sorted[index] + ((position - index) * (sorted[next] - sorted[index]));
    }
}
