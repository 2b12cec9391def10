using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Annotations.Tests;

public class MaskStatisticsTests
{
    [Fact]
    public void AddImage_KnownMasks_GivesTheNumbersOfTheirShapes()
    {
        var statistics = new MaskStatistics();
        byte[] corner = new byte[10000], ell = new byte[10000];
        for (int y = 0; y < 10; y++) corner.AsSpan(y * 100, 10).Fill(1); // a tenth of the width and the height
        for (int y = 80; y < 100; y++) ell.AsSpan((y * 100) + 80, y < 90 ? 10 : 20).Fill(1); // three quarters of a square
        statistics.AddImage([RleMask.FromBitmap(corner, 100, 100), RleMask.FromBitmap(ell, 100, 100), RleMask.Empty(100, 100)]);
        statistics.AddImage([]);

        Assert.Equal((2, 3L, 1L), (statistics.ImageCount, statistics.MaskCount, statistics.EmptyMaskCount));
        Assert.Equal(1.5, statistics.MasksPerImage.Mean);
        Assert.Equal(0.1, statistics.RelativeSize.Least, 1e-6);
        Assert.Equal(Math.Sqrt(300) / 100, statistics.RelativeSize.Most, 1e-6);
        Assert.Equal(0, statistics.Concavity.Least, 1e-6);
        Assert.Equal(1 - (300 / 350.0), statistics.Concavity.Most, 1e-6); // the hull cuts the missing square in halves
        Assert.Equal(1, statistics.CenterHistogram[0]);
        Assert.Equal(1, statistics.CenterHistogram[(8 * 10) + 8] + statistics.CenterHistogram[(9 * 10) + 8] + statistics.CenterHistogram[(8 * 10) + 9] + statistics.CenterHistogram[99]);
        Assert.Equal(2, statistics.CenterHistogram.Sum());
        string report = statistics.ToReport();
        Assert.Contains("masks             3 (1 of them empty)", report, StringComparison.Ordinal);
        Assert.Contains("up to 10: 100 %", report, StringComparison.Ordinal);
    }

    [Fact]
    public void ValueDistribution_InterpolatesQuantiles()
    {
        ValueDistribution found = ValueDistribution.Of([4, 1, 3, 2]);
        Assert.Equal(new ValueDistribution(4, 2.5, 1, 1.75, 2.5, 3.25, 4), found);
        Assert.True(double.IsNaN(ValueDistribution.Of([]).Median));
    }

    [Fact]
    public void ToReport_NothingAdded_HasNoNumbers() => Assert.DoesNotContain("NaN", new MaskStatistics().ToReport(), StringComparison.Ordinal);

    [Fact]
    public void Add_AnyReader_CountsTheSame()
    {
        using var folder = new TemporaryFolder();
        RleMask mask = Make.Square;
        string sa1b = Path.Combine(folder.Path, "a.json"), coco = Path.Combine(folder.Path, "b.json"), results = Path.Combine(folder.Path, "c.json");
        using (var writer = Sa1bWriter.Create(sa1b, new AnnotationImage { Width = 8, Height = 8 }))
        {
            writer.Add(Annotation.From(mask));
            writer.Add(Annotation.From(mask));
            writer.Complete();
        }

        using (var writer = CocoWriter.Create(coco, [new AnnotationCategory { Id = 0 }]))
        {
            writer.Add(new AnnotationImage { Id = 1, Width = 8, Height = 8 });
            writer.Add(new AnnotationImage { Id = 2, Width = 8, Height = 8 });
            writer.Add(Annotation.From(mask, 1, 1, 0));
            writer.Add(Annotation.From(mask, 2, 1, 0) with { Polygons = [[1, 1, 4, 1, 4, 4, 1, 4]] });
            writer.Add(new Annotation { ImageId = 1, CategoryId = 0, Box = new PixelRectangle(1, 1, 2, 2) });
            writer.Complete();
        }

        AnnotationConversion.Convert(coco, AnnotationFormat.Detect(coco), results, AnnotationFormat.Find("coco-results"));
        MaskStatistics first = Of(sa1b), second = Of(coco), third = Of(results);
        Assert.Equal((1, 2L, 0L), (first.ImageCount, first.MaskCount, first.AnnotationsWithoutMask));
        Assert.Equal((2, 2L, 1L), (second.ImageCount, second.MaskCount, second.AnnotationsWithoutMask));
        Assert.Equal((1, 2L, 1L), (third.ImageCount, third.MaskCount, third.AnnotationsWithoutMask)); // results know no image without one
        Assert.Equal(first.RelativeSize, second.RelativeSize);
        Assert.Equal(first.RelativeSize, third.RelativeSize);
        Assert.Equal(first.CenterHistogram, second.CenterHistogram);
        Assert.Contains("without a mask    1\n", second.ToReport(), StringComparison.Ordinal);

        static MaskStatistics Of(string path)
        {
            var statistics = new MaskStatistics();
            using AnnotationReader reader = AnnotationFormat.Detect(path).OpenRead(path);
            statistics.Add(reader, TestContext.Current.CancellationToken);
            return statistics;
        }
    }
}
