using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.ModelTests.Pipeline;

/// <summary>
/// From pixels to masks on the picture that our own code draws: needs no reference data, since the silhouettes are known.
/// The bounds are what MobileSAM reaches, less a little; a wrong turn anywhere on the way falls far below them.
/// </summary>
[Collection(MobileSamCollection.Name)]
public sealed class StillLifeTests(MobileSam mobileSam, StillLifeTests.Encoded encoded) : IClassFixture<StillLifeTests.Encoded>
{
    private readonly SamModel _sam = mobileSam.Model;
    private readonly ImageEmbedding _embedding = encoded.Embedding;

    public static TheoryData<string> Names => ["book", "mug", "ball", "pear"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Point_OnAnObject_GivesItAmongTheThreeMasks(string name)
    {
        (StillLifeObject o, RleMask truth) = Find(name);

        MaskPrediction masks = _sam.Predict(_embedding, Prompt.Point(o.ClickX, o.ClickY));

        Assert.Equal(3, masks.Count);
        double best = masks.Max(m => m.Mask.IntersectionOverUnion(truth));
        Assert.True(best >= 0.85, $"The best IoU with the {name} is {best:0.000}.");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Box_AroundAnObject_GivesIt(string name)
    {
        (StillLifeObject o, RleMask truth) = Find(name);

        PredictedMask mask = Assert.Single(_sam.Predict(_embedding, Prompt.FromBox(o.Box)));

        double iou = mask.Mask.IntersectionOverUnion(truth);
        Assert.True(iou >= 0.92, $"The IoU with the {name} is {iou:0.000}.");
        Assert.True(mask.PredictedIou >= 0.8f, $"The predicted IoU is {mask.PredictedIou:0.000}.");
    }

    [Fact]
    public void Boxes_TogetherOrOneByOne_GiveTheSameMasks()
    {
        Prompt[] prompts = [.. StillLife.Objects.Select(o => Prompt.FromBox(o.Box))];

        MaskPrediction[] together = _sam.Predict(_embedding, prompts);

        for (int i = 0; i < prompts.Length; i++)
        {
            double iou = together[i].Best.Mask.IntersectionOverUnion(_sam.Predict(_embedding, prompts[i]).Best.Mask);
            Assert.True(iou >= 0.999, $"{StillLife.Objects[i].Name}: {iou:0.0000}");
        }
    }

    [Fact]
    public void Refinement_WithASecondClick_TurnsAPartIntoTheWhole()
    {
        (StillLifeObject o, RleMask truth) = Find("mug");
        Prompt click = Prompt.Point(o.ClickX, o.ClickY);
        PredictedMask worst = _sam.Predict(_embedding, click).MinBy(m => m.Mask.IntersectionOverUnion(truth))!;

        PredictedMask refined = _sam.Predict(_embedding, click.AndPoint(330, 428, foreground: false).AndMask(worst.LowResLogits)).Best;

        (double before, double after) = (worst.Mask.IntersectionOverUnion(truth), refined.Mask.IntersectionOverUnion(truth));
        Assert.True(before < 0.7 && after > 0.9, $"The IoU with the mug went from {before:0.000} to {after:0.000}.");
    }

    [Fact]
    public void BlueGreenRed_AndPaddedRows_GiveTheSameMask()
    {
        (StillLifeObject o, _) = Find("ball");
        const int stride = (StillLife.Width * 4) + 28;
        byte[] padded = new byte[stride * StillLife.Height];
        for (int y = 0; y < StillLife.Height; y++)
        {
            for (int x = 0; x < StillLife.Width; x++)
            {
                ReadOnlySpan<byte> rgb = StillLife.Image.Pixels.AsSpan(((y * StillLife.Width) + x) * 3, 3);
                int i = (y * stride) + (x * 4);
                (padded[i], padded[i + 1], padded[i + 2], padded[i + 3]) = (rgb[2], rgb[1], rgb[0], 77);
            }
        }

        using ImageEmbedding other = _sam.Encode(PixelBuffer.FromBgra32(padded, StillLife.Width, StillLife.Height, stride));

        Assert.Equal(_sam.Predict(_embedding, Prompt.FromBox(o.Box)).Best.Mask, _sam.Predict(other, Prompt.FromBox(o.Box)).Best.Mask);
    }

    private static (StillLifeObject Object, RleMask Truth) Find(string name)
    {
        StillLifeObject o = StillLife.Objects.Single(o => o.Name == name);
        return (o, RleMask.FromBitmap(o.Mask, StillLife.Width, StillLife.Height));
    }

    /// <summary>The picture, encoded once for all tests of the class.</summary>
    public sealed class Encoded(MobileSam mobileSam) : IDisposable
    {
        public ImageEmbedding Embedding { get; } = mobileSam.Model.Encode(StillLife.Image.ToPixelBuffer());

        public void Dispose() => Embedding.Dispose();
    }
}
