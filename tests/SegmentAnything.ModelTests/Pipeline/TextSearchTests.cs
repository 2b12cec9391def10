using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.Text;

namespace SegmentAnything.ModelTests.Pipeline;

/// <summary>Masks from text with the real MobileSAM and a model that knows colours alone: it proves the way, not CLIP.</summary>
[Collection(MobileSamCollection.Name)]
public sealed class TextSearchTests(MobileSam mobileSam)
{
    [Theory]
    [InlineData("book")]
    [InlineData("mug")]
    [InlineData("ball")]
    [InlineData("pear")]
    public void Find_TheColourOfAnObject_GivesThatObjectOrAPartOfIt(string name)
    {
        RleMask wanted = Scene.Find(name).Mask;
        var colours = new ColourModel(Colour(wanted), StillLife.Objects.Where(o => o.Name != name).Select(o => Colour(Scene.Find(o.Name).Mask)));

        IReadOnlyList<FoundMask> found = TextSearch.Find(mobileSam.Model, colours, Scene.Pixels, "this colour", new() { Not = ["another"], GreatestGap = 0.001 });

        Assert.NotEmpty(found);
        // The object or a part of it: a part may have its colour more purely than the whole.
        double inside = found[0].Mask.IntersectionArea(wanted) / (double)found[0].Mask.Area;
        Assert.True(inside >= 0.8, $"{inside:0.000} of the mask is on the {name}, of {found.Count} masks.");
        Assert.InRange(found[0].Probability, 0.5, 1);
    }

    [Fact]
    public void Choose_AmongMasks_LooksAtThemInBatchesAndKeepsNoParts()
    {
        RleMask ball = Scene.Find("ball").Mask, pear = Scene.Find("pear").Mask;
        MaskBox box = ball.BoundingBox;
        RleMask half = ball.Intersection(RleMask.FromBox(new MaskBox(box.X, box.Y, box.Width / 2, box.Height), ball.Width, ball.Height));
        var colours = new ColourModel(Colour(ball), [Colour(pear)]);
        RleMask[] masks = [.. Enumerable.Repeat(pear, 30), ball, half];

        IReadOnlyList<FoundMask> found = TextSearch.Choose(colours, Scene.Pixels, masks, "this colour", new() { Not = ["another"], GreatestGap = 2 });

        Assert.Single(found, mask => mask.Mask.IntersectionArea(ball) > 0);
        Assert.Equal(64, colours.Pictures);
        Assert.Equal(2, colours.Batches);
        Assert.Empty(TextSearch.Choose(colours, Scene.Pixels, [], "this colour"));
        Assert.Throws<ArgumentException>(() => TextSearch.Choose(colours, Scene.Pixels, [RleMask.Full(3, 3)], "this colour"));
        Assert.Throws<ArgumentException>(() => TextSearch.Choose(colours, Scene.Pixels, masks, " "));
    }

    private static (double R, double G, double B) Colour(RleMask mask)
    {
        byte[] inside = mask.ToBitmap();
        LoadedImage picture = StillLife.Image;
        double[] sum = new double[3];
        for (int i = 0; i < inside.Length; i++)
        {
            for (int c = 0; inside[i] != 0 && c < 3; c++) sum[c] += picture.Pixels[(3 * i) + c];
        }

        return (sum[0] / mask.Area, sum[1] / mask.Area, sum[2] / mask.Area);
    }

    /// <summary>
    /// A picture is how much of it has each of some colours, and none of them; a text is the wanted colour, or one of the others.
    /// </summary>
    private sealed class ColourModel((double R, double G, double B) wanted, IEnumerable<(double R, double G, double B)> others) : ITextImageModel
    {
        private const double Near = 70;

        private readonly (double R, double G, double B)[] _colours = [wanted, .. others];

        public int Pictures { get; private set; }

        public int Batches { get; private set; }

        public int Dimension => _colours.Length + 1;

        // A colour that none of the objects has.
        public (byte R, byte G, byte B) MeanColour => (255, 0, 255);

        public float[][] EmbedTexts(IReadOnlyList<string> texts, CancellationToken cancellationToken = default) =>
            [.. texts.Select((text, i) => Only(text.Contains("this colour", StringComparison.Ordinal) ? 0 : 1 + (i % (_colours.Length - 1))))];

        public float[][] EmbedPictures(IReadOnlyList<PixelBuffer> pictures, CancellationToken cancellationToken = default)
        {
            Pictures += pictures.Count;
            Batches++;
            return [.. pictures.Select(picture =>
            {
                float[] parts = new float[Dimension];
                ReadOnlySpan<byte> pixels = picture.Memory.Span;
                for (int i = 0; i + 2 < pixels.Length; i += 3) parts[Nearest(pixels[i], pixels[i + 1], pixels[i + 2])]++;
                float length = MathF.Sqrt(parts.Sum(part => part * part));
                return parts.Select(part => part / length).ToArray();
            })];
        }

        private int Nearest(byte r, byte g, byte b)
        {
            int best = _colours.Length;
            double least = Near * Near;
            for (int i = 0; i < _colours.Length; i++)
            {
                (double dr, double dg, double db) = (r - _colours[i].R, g - _colours[i].G, b - _colours[i].B);
                double squared = (dr * dr) + (dg * dg) + (db * db);
                if (squared < least) (best, least) = (i, squared);
            }

            return best;
        }

        private float[] Only(int place)
        {
            float[] embedding = new float[Dimension];
            embedding[place] = 1;
            return embedding;
        }
    }
}
