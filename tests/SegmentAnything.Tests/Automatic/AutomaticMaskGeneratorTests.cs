using SegmentAnything.Automatic;
using SegmentAnything.Kernels;
using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything.Tests.Automatic;

/// <summary>The generator over a model that sees a disc around every point it is asked about.</summary>
public class AutomaticMaskGeneratorTests
{
    [Fact]
    public void Generate_EveryPointAnObject_FindsEachOnce()
    {
        var model = new DiscModel(radius: 20);
        var generator = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 4, PointsPerBatch = 5 });
        GeneratedMasks masks = generator.Generate(Image(400, 300), cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(16, masks.Count); // the model's second mask fails on its score, the third is a duplicate
        Assert.Equal([5, 5, 5, 1], model.Batches);
        CropStatistics crop = Assert.Single(masks.Crops);
        Assert.Equal((48, 32, 32, 32, 16),
            (crop.Candidates, crop.AfterPredictedIou, crop.AfterStability, crop.AfterEdge, crop.AfterSuppression));
        foreach (GeneratedMask mask in masks)
        {
            Assert.Equal(mask.Mask.Area, mask.Area);
            Assert.Equal(Math.PI * 20 * 20, mask.Area, 60.0);
            Assert.Equal((mask.Box.X0 + mask.Box.X1) / 2, mask.PointX, 1.5);
            Assert.Equal((mask.Box.Y0 + mask.Box.Y1) / 2, mask.PointY, 1.5);
            Assert.Equal(new Box(0, 0, 400, 300), mask.CropBox);
        }
    }

    [Fact]
    public void Generate_RefineMasks_JudgesWhatRefinementGives()
    {
        var model = new DiscModel(radius: 20);
        var options = new AutomaticMaskOptions { PointsPerSide = 2, RefineMasks = true };
        GeneratedMasks masks = new AutomaticMaskGenerator(model, options).Generate(Image(400, 300), cancellationToken: TestContext.Current.CancellationToken);

        // All three masks of every point are refined, before their scores are looked at, and then all pass.
        Assert.Equal(12, model.Refined);
        CropStatistics crop = Assert.Single(masks.Crops);
        Assert.Equal((12, 12, 4), (crop.Candidates, crop.AfterPredictedIou, crop.AfterSuppression));
        Assert.All(masks, mask => Assert.Equal(0.96f, mask.PredictedIou));
        // 500 more in every logit is 5 low-resolution pixels of the disc's slope.
        Assert.All(masks, mask => Assert.InRange(mask.Area, Math.PI * 26 * 26, Math.PI * 29 * 29));
    }

    [Fact]
    public void Generate_Crops_DropsWhatTheyCutAndPrefersTheSmaller()
    {
        var model = new DiscModel(radius: 12);
        var options = new AutomaticMaskOptions { PointsPerSide = 6, CropLayers = 1, CropPointsDownscaleFactor = 2 };
        GeneratedMasks masks = new AutomaticMaskGenerator(model, options).Generate(Image(600, 400), cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(5, masks.Crops.Count);
        Assert.Equal(36 * 3, masks.Crops[0].Candidates);
        Assert.All(masks.Crops.Skip(1), crop => Assert.Equal(9 * 3, crop.Candidates));
        Assert.Equal(new Box(0, 0, 600, 400), masks.Crops[0].CropBox);
        Assert.Equal(new ImageSize(600, 400), model.Encoded[^1]); // the largest comes last
        Assert.Equal(5, model.Encoded.Count);
        Assert.All(masks, mask => Assert.Equal((600, 400), (mask.Mask.Width, mask.Mask.Height)));
        for (int i = 0; i < masks.Count; i++)
        {
            // Smaller crops first; no two boxes overlap by more than the threshold.
            if (i > 0) Assert.True(masks[i - 1].CropBox.Area <= masks[i].CropBox.Area);
            for (int j = 0; j < i; j++) Assert.True(masks[i].Mask.IntersectionOverUnion(masks[j].Mask) < 0.75);
        }
    }

    [Fact]
    public void Generate_ExplicitGrids_PromptsWithThem()
    {
        var model = new DiscModel(radius: 30);
        var options = new AutomaticMaskOptions { PointGrids = [[(0.25, 0.5), (0.75, 0.5)]] };
        GeneratedMasks masks = new AutomaticMaskGenerator(model, options).Generate(Image(400, 200), cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal([(100.0, 100.0), (300.0, 100.0)], masks.Select(m => (m.PointX, m.PointY)).Order());
    }

    [Fact]
    public void Generate_MaxMaskAreaFraction_DropsLargeMasks()
    {
        var options = new AutomaticMaskOptions { PointsPerSide = 1, MaxMaskAreaFraction = 0.95 };
        var everything = new DiscModel(radius: 1e4);
        Assert.Empty(new AutomaticMaskGenerator(everything, options).Generate(Image(90, 60), cancellationToken: TestContext.Current.CancellationToken));
        Assert.Single(new AutomaticMaskGenerator(everything, options with { MaxMaskAreaFraction = 1 }).Generate(
            Image(90, 60), cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Generate_Progress_NeverDecreasesAndEndsDone()
    {
        List<MaskGenerationProgress> reports = [];
        var options = new AutomaticMaskOptions { PointsPerSide = 4, PointsPerBatch = 4, CropLayers = 1 };
        new AutomaticMaskGenerator(new DiscModel(10), options).Generate(
            Image(300, 300), new Synchronous(reports.Add), TestContext.Current.CancellationToken);
        Assert.Equal(reports.Select(r => r.Fraction).Order(), reports.Select(r => r.Fraction));
        Assert.Equal(new MaskGenerationProgress(MaskGenerationStage.Done, 1, 4, 5), reports[^1]);
        Assert.Equal(20, reports.Count(r => r.Stage == MaskGenerationStage.Prompting));
        Assert.Equal(5, reports.Count(r => r.Stage == MaskGenerationStage.Encoding));
    }

    [Fact]
    public void Generate_Cancelled_StopsSoonAndReleasesTheCrop()
    {
        var model = new DiscModel(10) { DecodeDelay = TimeSpan.FromMilliseconds(20) };
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        var options = new AutomaticMaskOptions { PointsPerSide = 64, PointsPerBatch = 8 };
        Assert.ThrowsAny<OperationCanceledException>(() => new AutomaticMaskGenerator(model, options).Generate(Image(500, 500), null, cancellation.Token));
        Assert.True(model.Batches.Count < 512);
        Assert.Equal(0, model.Alive);
    }

    [Fact]
    public async Task GenerateAsync_GivesWhatGenerateGives()
    {
        var generator = new AutomaticMaskGenerator(new DiscModel(15), new AutomaticMaskOptions { PointsPerSide = 3 });
        CancellationToken token = TestContext.Current.CancellationToken;
        List<GeneratedMask> found = [];
        await foreach (GeneratedMask mask in generator.GenerateAsync(Image(200, 150), cancellationToken: token)) found.Add(mask);
        Assert.Equal(generator.Generate(Image(200, 150), cancellationToken: token).Select(m => m.Mask), found.Select(m => m.Mask));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(30)]
    public async Task GenerateAsync_WithCrops_GivesTheMasksOfACropBeforeTheNextIsEncoded(int minMaskRegionArea)
    {
        var model = new DiscModel(radius: 12);
        var options = new AutomaticMaskOptions
        {
            PointsPerSide = 6,
            CropLayers = 2,
            CropPointsDownscaleFactor = 2,
            MinMaskRegionArea = minMaskRegionArea,
        };
        var generator = new AutomaticMaskGenerator(model, options);
        CancellationToken token = TestContext.Current.CancellationToken;
        List<GeneratedMask> found = [];
        List<int> encodedBefore = [];
        await foreach (GeneratedMask mask in generator.GenerateAsync(Image(600, 400), cancellationToken: token))
        {
            found.Add(mask);
            encodedBefore.Add(model.Encoded.Count);
            Assert.Equal(0, model.Alive);
        }

        Assert.Equal(generator.Generate(Image(600, 400), cancellationToken: token).Select(m => (m.Mask, m.CropBox)), found.Select(m => (m.Mask, m.CropBox)));
        Assert.Equal(1, encodedBefore[0]);
        Assert.True(encodedBefore.Distinct().Count() > 4, string.Join(", ", encodedBefore));
        Assert.Equal(21, encodedBefore[^1]);
    }

    [Fact]
    public async Task GenerateAsync_AbandonedEarly_EncodesNoFurtherCrop()
    {
        var model = new DiscModel(radius: 12);
        var options = new AutomaticMaskOptions { PointsPerSide = 6, CropLayers = 2, CropPointsDownscaleFactor = 2 };
        await foreach (GeneratedMask _ in new AutomaticMaskGenerator(model, options).GenerateAsync(
            Image(600, 400), cancellationToken: TestContext.Current.CancellationToken))
        {
            break;
        }

        Assert.Single(model.Encoded);
        Assert.Equal(0, model.Alive);
    }

    [Fact]
    public async Task GenerateManyAsync_EncodesTheNextWhileOneIsPrompted_InOrder()
    {
        var model = new DiscModel(15) { DecodesOnlyWhenTwoAreAlive = true };
        var generator = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 2 });
        List<string> results = [];
        int[] widths = [100, 200, 0, 300, 150];
        await foreach (ImageMasks<int> result in generator.GenerateManyAsync(
            widths, width => width == 0 ? throw new IOException("damaged") : Image(width, 100), cancellationToken: TestContext.Current.CancellationToken))
        {
            results.Add(result.Error is null ? $"{result.Source}: {result.Masks!.ImageSize}" : $"{result.Source}: {result.Error.Message}");
        }

        Assert.Equal(["100: 100x100", "200: 200x100", "0: damaged", "300: 300x100", "150: 150x100"], results);
        Assert.Equal(0, model.Alive);
        Assert.InRange(model.MostAlive, 2, 2); // overlapping, and never more than one ahead
    }

    [Fact]
    public async Task GenerateManyAsync_AbandonedEarly_ReleasesWhatWasEncodedAhead()
    {
        var model = new DiscModel(15);
        var generator = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 1 });
        await foreach (ImageMasks<int> _ in generator.GenerateManyAsync(
            Enumerable.Repeat(100, 1000), width => Image(width, 100), cancellationToken: TestContext.Current.CancellationToken))
        {
            break;
        }

        Assert.Equal(0, model.Alive);
        Assert.InRange(model.Encoded.Count, 1, 3);
    }

    [Fact]
    public void Constructor_BadOptions_SaysWhich()
    {
        void Throws(AutomaticMaskOptions options, string name) => Assert.Equal(
            name, Assert.ThrowsAny<ArgumentException>(() => new AutomaticMaskGenerator(new DiscModel(1), options)).ParamName);
        Throws(new AutomaticMaskOptions { PointsPerSide = 0 }, "PointsPerSide");
        Throws(new AutomaticMaskOptions { PointsPerBatch = 0 }, "PointsPerBatch");
        Throws(new AutomaticMaskOptions { CropLayers = -1 }, "CropLayers");
        Throws(new AutomaticMaskOptions { CropPointsDownscaleFactor = 0 }, "CropPointsDownscaleFactor");
        Throws(new AutomaticMaskOptions { BoxNmsThreshold = double.NaN }, "BoxNmsThreshold");
        Throws(new AutomaticMaskOptions { CropOverlapRatio = 2 }, "CropOverlapRatio");
        Throws(new AutomaticMaskOptions { PredIouThreshold = float.NaN }, "PredIouThreshold");
        Throws(new AutomaticMaskOptions { StabilityScoreOffset = -1 }, "StabilityScoreOffset");
        Throws(new AutomaticMaskOptions { MinMaskRegionArea = -1 }, "MinMaskRegionArea");
        Throws(new AutomaticMaskOptions { CropLayers = 1, PointGrids = [[(0.5, 0.5)]] }, "PointGrids");
        Throws(new AutomaticMaskOptions { PointGrids = [[(0.5, 1.5)]] }, "PointGrids");
        Assert.Throws<ArgumentException>(() => new AutomaticMaskGenerator(new DiscModel(1), new AutomaticMaskOptions()).Generate(default(PixelBuffer)));
    }

    [Fact]
    public void Options_Defaults_AreTheReferences()
    {
        AutomaticMaskOptions defaults = AutomaticMaskOptions.Default;
        Assert.Equal(
            (32, 64, 0.88f, 0.95f, 1f, 0.7, 0, 0.7, 512.0 / 1500, 1, 0),
            (defaults.PointsPerSide, defaults.PointsPerBatch, defaults.PredIouThreshold, defaults.StabilityScoreThreshold,
                defaults.StabilityScoreOffset, defaults.BoxNmsThreshold, defaults.CropLayers, defaults.CropNmsThreshold,
                defaults.CropOverlapRatio, defaults.CropPointsDownscaleFactor, defaults.MinMaskRegionArea));
        Assert.Equal([1024, 256, 64], PointGrid.Of(AutomaticMaskOptions.Paper).Select(g => g.Length));
    }

    [Fact]
    public void Region_GetsTheWholeGrid_InTheWholeImage()
    {
        var model = new DiscModel(4);
        var area = new SearchArea { Region = new Box(100, 40, 200, 120) };
        GeneratedMasks masks = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 4 }).Generate(
            Image(400, 300), area, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal([new ImageSize(400, 300)], model.Encoded);
        Assert.Equal([112.5, 137.5, 162.5, 187.5], masks.Select(mask => mask.PointX).Distinct().Order());
        Assert.Equal([50, 70, 90, 110], masks.Select(mask => Math.Round(mask.PointY, 6)).Distinct().Order());
        Assert.Equal(16, masks.Count);
        Assert.All(masks, mask => Assert.Equal((400, 300), (mask.Mask.Width, mask.Mask.Height)));
    }

    [Fact]
    public void Region_WithCrops_IsDividedIntoThem()
    {
        var model = new DiscModel(4);
        var area = new SearchArea { Region = new Box(100.5f, 40, 299.5f, 240) };
        GeneratedMasks masks = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 2, CropLayers = 1 }).Generate(
            Image(400, 300), area, cancellationToken: TestContext.Current.CancellationToken);

        List<CropBox> expected = [.. CropBoxes.Generate(new ImageSize(200, 200), 1, 512.0 / 1500).Select(crop => crop with { X = crop.X + 100, Y = crop.Y + 40 })];
        Assert.Equal(
            expected.Skip(1).Select(crop => new Box(crop.X, crop.Y, crop.X + crop.Width, crop.Y + crop.Height)), masks.Crops.Skip(1).Select(crop => crop.CropBox));
        Assert.Equal(new Box(0, 0, 400, 300), masks.Crops[0].CropBox);
        Assert.All(masks, mask => Assert.True(mask.PointX is > 100 and < 300 && mask.PointY is > 40 and < 240));
    }

    [Fact]
    public void Excluded_PixelsArePromptedNowhere_AndWhatLiesOnThemIsLeftOut()
    {
        var model = new DiscModel(9);
        RleMask left = RleMask.FromBox(new MaskBox(0, 0, 200, 300), 400, 300);
        var generator = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 8 });
        GeneratedMasks right = generator.Generate(
            Image(400, 300), new SearchArea { Excluded = left }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(32, right.Count);
        Assert.Equal([32], model.Batches);
        Assert.All(right, mask => Assert.True(mask.PointX > 200));

        // One point is left, and its disc reaches over most of what is excluded around it.
        RleMask around = RleMask.FromBox(new MaskBox(222, 16, 6, 6), 400, 300).Complement();
        model.Batches.Clear();
        Assert.Empty(generator.Generate(Image(400, 300), new SearchArea { Excluded = around }, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal([1], model.Batches);

        Assert.Empty(generator.Generate(
            Image(400, 300), new SearchArea { Excluded = RleMask.Full(400, 300) }, cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Embedding_IsPromptedAsItIs_AndNotDisposed()
    {
        using ImageEmbedding embedding = EmbeddingOf(new ImageSize(400, 300));
        var model = new DiscModel(9);
        var generator = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 4 });
        GeneratedMasks masks = generator.Generate(embedding, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Empty(model.Encoded);
        Assert.Equal(
            generator.Generate(Image(400, 300), cancellationToken: TestContext.Current.CancellationToken).Select(mask => mask.Mask), masks.Select(mask => mask.Mask));
        Assert.Equal(0, model.Alive);
        Assert.Equal(400, embedding.SourceSize.Width);

        var withCrops = new AutomaticMaskGenerator(model, new AutomaticMaskOptions { PointsPerSide = 4, CropLayers = 1 });
        Assert.Contains("CropLayers = 0", Assert.Throws<InvalidOperationException>(() => withCrops.Generate(embedding)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, 0, 10, 10)]
    [InlineData(0, 0, 401, 10)]
    [InlineData(10, 10, 10, 20)]
    [InlineData(float.NaN, 0, 10, 10)]
    public void Region_OutsideTheImage_IsRefused(float x0, float y0, float x1, float y1)
    {
        var generator = new AutomaticMaskGenerator(new DiscModel(1), new AutomaticMaskOptions());
        Assert.Throws<ArgumentException>(() => generator.Generate(Image(400, 300), new SearchArea { Region = new Box(x0, y0, x1, y1) }));
        Assert.Throws<ArgumentException>(() => generator.Generate(Image(400, 300), new SearchArea { Excluded = RleMask.Full(300, 400) }));
    }

    private static ImageEmbedding EmbeddingOf(ImageSize size) => new(
        CommunityToolkit.HighPerformance.Buffers.MemoryOwner<float>.Allocate(1), [new FeatureMapShape(FeatureMapShape.Embedding, 1, 1)], new ImageFrame(size, 1024), "discs", "");

    private static PixelBuffer Image(int width, int height) => PixelBuffer.FromGray8(new byte[width * height], width, height);

    private sealed class Synchronous(Action<MaskGenerationProgress> report) : IProgress<MaskGenerationProgress>
    {
        public void Report(MaskGenerationProgress value) => report(value);
    }

    /// <summary>For every point three masks: a disc, the same with a score that fails, the same with a lower score.</summary>
    private sealed class DiscModel(double radius) : ICropEncoder
    {
        private readonly Lock _gate = new();
        private readonly double _radius = radius;

        public string ModelName => "discs";

        public List<ImageSize> Encoded { get; } = [];

        public List<int> Batches { get; } = [];

        public int Refined { get; set; }

        public TimeSpan DecodeDelay { get; init; }

        /// <summary>The first image is prompted when the second was encoded; without that, the test ends as a failure.</summary>
        public bool DecodesOnlyWhenTwoAreAlive { get; init; }

        public int Alive { get; private set; }

        public int MostAlive { get; private set; }

        public int Threads => 2;

        public IEncodedCrop Encode(PixelBuffer crop, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (_gate)
            {
                Encoded.Add(crop.Size);
                MostAlive = Math.Max(MostAlive, ++Alive);
            }

            return new Crop(this, crop.Size);
        }

        public IEncodedCrop Use(ImageEmbedding embedding)
        {
            lock (_gate) Alive++;
            return new Crop(this, embedding.SourceSize);
        }

        private sealed class Crop(DiscModel model, ImageSize size) : IEncodedCrop
        {
            private readonly ImageFrame _transform = new(size, 1024);
            private bool _disposed;

            public int MasksPerPoint => 3;

            public int LowResSize => 256;

            public int ModelSize => 1024;

            // Every place looks the same.
            public ReadOnlySpan<float> Embedding => new float[] { 1 };

            public int EmbeddingChannels => 1;

            public IMaskUpscaler Upscaler { get; } = new MaskUpscaler(new ImageFrame(size, 1024).ResizedSize, size);

            public void Decode(
                ReadOnlySpan<(double X, double Y)> points, float? leastPredictedIou, Span<float> logits, Span<float> predictedIou, CancellationToken cancellationToken)
            {
                Assert.False(_disposed);
                cancellationToken.WaitHandle.WaitOne(model.DecodeDelay);
                if (model.DecodesOnlyWhenTwoAreAlive) SpinWait.SpinUntil(() => model.MostAlive >= 2, TimeSpan.FromSeconds(30));
                lock (model._gate) model.Batches.Add(points.Length);
                double scale = (double)_transform.ResizedSize.Width / size.Width / 4; // source pixels to low resolution
                for (int p = 0; p < points.Length; p++)
                {
                    for (int m = 0; m < 3; m++)
                    {
                        predictedIou[(p * 3) + m] = m switch { 0 => 0.97f, 1 => 0.5f, _ => 0.95f };
                        Span<float> mask = logits.Slice(((p * 3) + m) * 65536, 65536);
                        if (predictedIou[(p * 3) + m] < leastPredictedIou)
                        {
                            mask.Fill(float.NaN); // nobody may look at it
                            continue;
                        }

                        for (int i = 0; i < mask.Length; i++)
                        {
                            double x = (((i % 256) + 0.5) / scale) - points[p].X, y = (((i / 256) + 0.5) / scale) - points[p].Y;
                            mask[i] = (float)((model._radius - Math.Sqrt((x * x) + (y * y))) * scale * 100);
                        }
                    }
                }
            }

            // A little larger than it was.
            public float Refine((double X, double Y) point, Span<float> logits, CancellationToken cancellationToken)
            {
                Assert.False(_disposed);
                foreach (ref float logit in logits) logit += 500;
                lock (model._gate) model.Refined++;
                return 0.96f;
            }

            public void Dispose()
            {
                if (_disposed) return;
                _disposed = true;
                lock (model._gate) model.Alive--;
            }
        }
    }
}
