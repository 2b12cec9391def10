using SegmentAnything.Automatic;
using SegmentAnything.Kernels;
using SegmentAnything.Masks;

namespace SegmentAnything.Tests.Automatic;

/// <summary>Which points are prompted when not all of them are, in pictures of coloured cards where the answer is known.</summary>
public class PromptPlanTests
{
    [Fact]
    public void Next_CardsOnATable_TakesEachCardAndOnePointOfTheTableFirst()
    {
        // Cards of a hundred pixels on a table: points 8 x 8, of which (1, 1), (4, 2), (6, 6) lie on a card each.
        var model = new CardModel(new ImageSize(800, 800), (100, 100, 200, 200), (400, 200, 500, 300), (600, 600, 700, 700));
        using IEncodedCrop crop = model.Encode(default, CancellationToken.None);
        var plan = new PromptPlan(crop, Grid(8, 800, 800), budget: 10);
        int[] batch = new int[4];
        Assert.Equal(4, plan.Next(batch));
        Assert.Equal([9, 20, 54, 0], batch);

        // What is left looks like the table alone: in the order of the grid, up to the budget.
        Assert.Equal(4, plan.Next(batch));
        Assert.Equal([1, 2, 3, 4], batch);
        Assert.Equal(2, plan.Next(batch));
        Assert.Equal([5, 6], batch[..2]);
        Assert.Equal(0, plan.Next(batch));
    }

    [Fact]
    public void AddStableMask_PointsWithinIt_ComeLast()
    {
        var model = new CardModel(new ImageSize(800, 800));
        using IEncodedCrop crop = model.Encode(default, CancellationToken.None);
        var plan = new PromptPlan(crop, Grid(8, 800, 800), budget: 64);
        int[] first = new int[1], rest = new int[63];
        plan.Next(first);
        float[] leftHalf = [.. Enumerable.Range(0, 65536).Select(i => i % 256 < 128 ? 5f : -5f)];
        plan.AddStableMask(first[0], leftHalf);
        Assert.Equal(63, plan.Next(rest));
        Assert.All(rest[..32], point => Assert.True(point % 8 >= 4));
        Assert.All(rest[32..], point => Assert.True(point % 8 < 4));
        Assert.Equal(Enumerable.Range(0, 64), first.Concat(rest).Order());
    }

    [Fact]
    public void Next_NoPoints_GivesNone()
    {
        using IEncodedCrop crop = new CardModel(new ImageSize(80, 60)).Encode(default, CancellationToken.None);
        Assert.Equal(0, new PromptPlan(crop, [], budget: 5).Next(new int[3]));
    }

    [Theory]
    [InlineData(1.0, 1024)]
    [InlineData(1 / 3.0, 342)]
    [InlineData(0.1, 103)]
    [InlineData(1e-9, 1)]
    public void Generate_Fraction_FindsEveryCardWithThatManyPrompts(double fraction, int prompts)
    {
        // 20 cards of differing sizes, each larger than a step of the grid.
        (int X0, int Y0, int X1, int Y1)[] cards =
            [.. Enumerable.Range(0, 20).Select(i => (X: 30 + (i % 5 * 190), Y: 20 + (i / 5 * 150), Side: 40 + (i * 4))).Select(c => (c.X, c.Y, c.X + c.Side, c.Y + c.Side))];
        var model = new CardModel(new ImageSize(1000, 640), cards);
        List<double> progress = [];
        GeneratedMasks all = Generate(model, 1), found = Generate(model, fraction, new Synchronous(p => progress.Add(p.Fraction)));
        Assert.Equal(cards.Length + 1, all.Count);
        Assert.Equal(prompts * 3, found.Crops[0].Candidates);
        if (prompts > cards.Length)
        {
            Assert.Equal(all.Select(m => m.Mask).Order(ByArea), found.Select(m => m.Mask).Order(ByArea));
        }

        Assert.Equal(1, progress[^1]);
        Assert.Equal(progress.Order(), progress);
        Assert.Equal(found.Select(m => (m.Mask, m.PointX, m.PointY)), Generate(model, fraction).Select(m => (m.Mask, m.PointX, m.PointY)));
    }

    [Fact]
    public void Generate_FractionWithCrops_FindsEveryCardInItsCropToo()
    {
        (int, int, int, int)[] cards = [(60, 60, 200, 160), (420, 60, 560, 160), (60, 260, 200, 360), (420, 260, 560, 360)];
        var model = new CardModel(new ImageSize(620, 420), cards);
        var options = new AutomaticMaskOptions { PointsPerSide = 16, CropLayers = 1, CropPointsDownscaleFactor = 2, PromptFraction = 0.25 };
        GeneratedMasks found = new AutomaticMaskGenerator(model, options).Generate(model.Image, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal([64 * 3, 16 * 3, 16 * 3, 16 * 3, 16 * 3], found.Crops.Select(c => c.Candidates));
        foreach ((int x0, int y0, int x1, int y1) in cards)
        {
            // Within two pixels: a card's edge lies between two low-resolution logits.
            Assert.Contains(found, m => m.CropBox.Width < 620 && Near(m.Box.X0, x0) && Near(m.Box.Y0, y0) && Near(m.Box.X1, x1 - 1) && Near(m.Box.Y1, y1 - 1));
        }

        static bool Near(float a, int b) => Math.Abs(a - b) <= 2;
    }

    [Fact]
    public void Generate_FractionCancelled_StopsBeforeTheNextBatch()
    {
        var model = new CardModel(new ImageSize(400, 400), (100, 100, 200, 200));
        using var cancellation = new CancellationTokenSource();
        var options = new AutomaticMaskOptions { PointsPerSide = 32, PointsPerBatch = 16, PromptFraction = 0.5 };
        Assert.ThrowsAny<OperationCanceledException>(() => new AutomaticMaskGenerator(model, options).Generate(
            model.Image, new Synchronous(p => { if (p.Fraction > 0.1) cancellation.Cancel(); }), cancellation.Token));
        Assert.Equal(4, model.Batches); // 64 of 512 points are the first above a tenth
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1.0001)]
    [InlineData(double.NaN)]
    public void PromptFraction_OutOfRange_Throws(double fraction) => Assert.Equal(
        nameof(AutomaticMaskOptions.PromptFraction),
        Assert.Throws<ArgumentOutOfRangeException>(() => new AutomaticMaskOptions { PromptFraction = fraction }.Validate()).ParamName);

    private static Comparer<Rle.RleMask> ByArea { get; } = Comparer<Rle.RleMask>.Create((a, b) => a.Area.CompareTo(b.Area));

    private static GeneratedMasks Generate(CardModel model, double fraction, IProgress<MaskGenerationProgress>? progress = null) =>
        new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PromptFraction = fraction })
            .Generate(model.Image, progress, TestContext.Current.CancellationToken);

    private static (double X, double Y)[] Grid(int side, int width, int height) =>
        [.. PointGrid.Build(side).Select(p => (p.X * width, p.Y * height))];

    private sealed class Synchronous(Action<MaskGenerationProgress> report) : IProgress<MaskGenerationProgress>
    {
        public void Report(MaskGenerationProgress value) => report(value);
    }

    /// <summary>
    /// Cards on a table. Every point gives the card under it, or the table; the encoder sees each card in a colour of its
    /// own. Where a card lies is read off the picture: a pixel's grey is the number of its card, 0 the table.
    /// </summary>
    private sealed class CardModel : ICropEncoder
    {
        public string ModelName => "cards";

        private readonly byte[] _pixels;
        private readonly ImageSize _size;
        private readonly int _colours;

        public CardModel(ImageSize size, params (int X0, int Y0, int X1, int Y1)[] cards)
        {
            _size = size;
            _colours = cards.Length + 1;
            _pixels = new byte[size.Width * size.Height];
            for (int card = 0; card < cards.Length; card++)
            {
                for (int y = cards[card].Y0; y < cards[card].Y1; y++)
                    _pixels.AsSpan((y * size.Width) + cards[card].X0, cards[card].X1 - cards[card].X0).Fill((byte)(card + 1));
            }
        }

        public PixelBuffer Image => PixelBuffer.FromGray8(_pixels, _size.Width, _size.Height);

        public int Batches { get; private set; }

        public int Threads => 1;

        public IEncodedCrop Encode(PixelBuffer crop, CancellationToken cancellationToken) => new Crop(this, crop.Width == 0 ? Image : crop);

        public IEncodedCrop Use(ImageEmbedding embedding) => new Crop(this, Image);

        private sealed class Crop : IEncodedCrop
        {
            private const int Side = 64;

            private readonly CardModel _model;
            private readonly byte[] _cards;
            private readonly ImageSize _size;
            private readonly float[] _embedding;

            public Crop(CardModel model, PixelBuffer pixels)
            {
                _model = model;
                _size = pixels.Size;
                _cards = new byte[_size.Width * _size.Height];
                for (int y = 0; y < _size.Height; y++)
                    pixels.Memory.Span.Slice(y * pixels.Stride, _size.Width).CopyTo(_cards.AsSpan(y * _size.Width));
                Upscaler = new MaskUpscaler(new ImageFrame(_size, 1024).ResizedSize, _size);

                // One channel a colour; a cell shows the colour at its centre, and nothing outside of the picture.
                _embedding = new float[EmbeddingChannels * Side * Side];
                for (int cell = 0; cell < Side * Side; cell++)
                {
                    if (CardAt((cell % Side) + 0.5, (cell / Side) + 0.5, Side) is int card and >= 0) _embedding[(card * Side * Side) + cell] = 1;
                }
            }

            public int MasksPerPoint => 3;

            public int LowResSize => 256;

            public int ModelSize => 1024;

            public ReadOnlySpan<float> Embedding => _embedding;

            public int EmbeddingChannels => _model._colours;

            public IMaskUpscaler Upscaler { get; }

            public void Decode(
                ReadOnlySpan<(double X, double Y)> points, float? leastPredictedIou, Span<float> logits, Span<float> predictedIou, CancellationToken cancellationToken)
            {
                _model.Batches++;
                for (int p = 0; p < points.Length; p++)
                {
                    int card = _cards[((int)points[p].Y * _size.Width) + (int)points[p].X];
                    for (int m = 0; m < 3; m++)
                    {
                        // The first mask alone passes. A card is surer than the table.
                        predictedIou[(p * 3) + m] = m > 0 ? 0.1f : card > 0 ? 0.99f : 0.95f;
                        Span<float> mask = logits.Slice(((p * 3) + m) * 65536, 65536);
                        for (int i = 0; i < mask.Length; i++)
                            mask[i] = CardAt((i % 256) + 0.5, (i / 256) + 0.5, 256) == card ? 1000 : -1000;
                    }
                }
            }

            public float Refine((double X, double Y) point, Span<float> logits, CancellationToken cancellationToken) =>
                throw new NotSupportedException("Nothing is refined here.");

            public void Dispose()
            {
            }

            // The card at a place of the padded frame, which is divided into side x side cells; -1 outside of the picture.
            private int CardAt(double x, double y, int side)
            {
                int px = (int)(x / side * 1024 * _size.Width / Upscaler.InputSize.Width), py = (int)(y / side * 1024 * _size.Height / Upscaler.InputSize.Height);
                return px < _size.Width && py < _size.Height ? _cards[(py * _size.Width) + px] : -1;
            }
        }
    }
}
