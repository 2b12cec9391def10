using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything.Tests.Masks;

/// <summary>Binary masks as low-resolution logits.</summary>
public class MaskPromptLogitsTests
{
    private const int Side = 32;

    public static TheoryData<int, int, int, int, PictureFit> Frames => new()
    {
        { 128, 128, 128, 128, PictureFit.Pad },
        { 200, 133, 200, 133, PictureFit.Pad },
        { 133, 200, 133, 200, PictureFit.Pad },
        { 200, 133, 400, 266, PictureFit.Pad },
        { 200, 133, 24, 16, PictureFit.Pad },
        { 200, 133, 200, 133, PictureFit.Squash },
        { 3, 2, 3, 2, PictureFit.Pad },
    };

    [Theory]
    [MemberData(nameof(Frames))]
    public void Coverage_OfAnyMask_IsThePartOfEachPixelThatIsForeground(int imageWidth, int imageHeight, int width, int height, PictureFit fit)
    {
        var frame = new ImageFrame(new ImageSize(imageWidth, imageHeight), 128, fit);
        var random = new Random(5);
        var bitmap = new byte[width * height];
        for (int i = 0; i < bitmap.Length; i++) bitmap[i] = (byte)(random.Next(3) == 0 ? 1 : 0);
        float[] found = MaskPromptLogits.Coverage(RleMask.FromBitmap(bitmap, width, height), frame, Side);

        // Each mask pixel's rectangle in the frame, cut with each low-resolution pixel of the image.
        double across = frame.ResizedSize.Width / 4.0, down = frame.ResizedSize.Height / 4.0;
        for (int y = 0; y < Side; y++)
        {
            for (int x = 0; x < Side; x++)
            {
                double covered = 0, whole = Math.Max(0, Math.Min(x + 1, across) - x) * Math.Max(0, Math.Min(y + 1, down) - y);
                for (int v = 0; v < height; v++)
                {
                    for (int u = 0; u < width; u++)
                    {
                        if (bitmap[(v * width) + u] == 0) continue;
                        covered += Math.Max(0, Math.Min(x + 1, (u + 1) * across / width) - Math.Max(x, u * across / width))
                            * Math.Max(0, Math.Min(y + 1, (v + 1) * down / height) - Math.Max(y, v * down / height));
                    }
                }

                Assert.Equal(whole == 0 ? 0 : covered / whole, found[(y * Side) + x], 1e-5);
            }
        }
    }

    [Fact]
    public void Logits_OfFullMask_AreForegroundInTheImageAndBackgroundInThePadding()
    {
        var frame = new ImageFrame(new ImageSize(100, 50), 128);
        float[] logits = MaskPromptLogits.Of(RleMask.Full(100, 50), frame, Side, new MaskUpscaler(frame.ResizedSize, frame.SourceSize, Side, 128));
        for (int i = 0; i < logits.Length; i++)
            Assert.Equal(i < Side * Side / 2 ? MaskPromptLogits.LargestLogit : -MaskPromptLogits.LargestLogit, logits[i], 1e-4);
    }

    [Theory]
    [InlineData(PictureFit.Pad)]
    [InlineData(PictureFit.Squash)]
    public void Logits_BroughtBackToTheImage_AreTheMask(PictureFit fit)
    {
        var frame = new ImageFrame(new ImageSize(900, 600), 1024, fit);
        RleMask mask = RleMask.FromPolygon([100.5, 80, 700, 140, 820.25, 500, 300, 560.5, 180, 300], 900, 600);
        var upscaler = fit == PictureFit.Pad
            ? new MaskUpscaler(frame.ResizedSize, frame.SourceSize) : new MaskUpscaler(new ImageSize(256, 256), frame.SourceSize, 256, 256);
        Assert.InRange(upscaler.Measure(MaskPromptLogits.Of(mask, frame, 256, upscaler), 0, 0).Mask.IntersectionOverUnion(mask), 0.998, 1);
        // A mask of another size shows the same.
        Assert.InRange(upscaler.Measure(MaskPromptLogits.Of(mask.Resize(3600, 2400), frame, 256, upscaler), 0, 0).Mask.IntersectionOverUnion(mask), 0.998, 1);
    }
}
