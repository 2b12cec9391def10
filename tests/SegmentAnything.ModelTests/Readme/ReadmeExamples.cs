using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;
using SegmentAnything.Text;

namespace SegmentAnything.ModelTests.Readme;

/// <summary>
/// The examples of README and docs that need only this library, compiled and run. ReadmeTests checks that the pages show just
/// what stands between the marks.
/// </summary>
[Collection(MobileSamCollection.Name)]
public sealed class ReadmeExamples(MobileSam fixture)
{
    [Fact]
    public void Checkpoint()
    {
        using var folder = new TemporaryFolder();
        string checkpoint = WrittenCheckpoints.WriteMobileSam(folder.Path);
        (byte[] pixels, int width, int height) = (StillLife.Image.Pixels, StillLife.Width, StillLife.Height);

        // example: Checkpoint
        using SamModel sam = SamModel.Load(checkpoint); // "sam_vit_b_01ec64.pth", as it was downloaded
        using ImageEmbedding photo = sam.Encode(PixelBuffer.FromRgb24(pixels, width, height));
        RleMask mask = sam.Predict(photo, Prompt.Point(150, 200)).Best.Mask;
        // end

        RleMask expected = fixture.Model.Predict(fixture.StillLife, Prompt.Point(150, 200)).Best.Mask;
        Assert.InRange(mask.IntersectionOverUnion(expected), 0.999, 1);
    }

    [Fact]
    public void Providers()
    {
        // example: Providers
        SamOptions options = new() { Execution = ExecutionOptions.For(new CudaProvider(), new CpuProvider()) };
        using SamModel sam = SamModel.Load(SamModels.MobileSam, options);
        Console.WriteLine(sam.Encoder.Provider.Name);
        // end

        Assert.Contains(sam.Encoder.Provider.Name, (string[])["CUDA", "CPU"]);
        Assert.Equal(sam.Encoder.Provider, sam.Decoder.Provider);
    }

    [Fact]
    public void Prompts()
    {
        SamModel sam = fixture.Model;
        ImageEmbedding photo = fixture.StillLife;

        // example: Prompts
        // Points on and off the object, a box, or both: one mask.
        MaskPrediction cup = sam.Predict(photo, Prompt.Box(40, 50, 260, 300).AndPoint(150, 200));

        // Refine: give the last mask back together with another click.
        MaskPrediction refined = sam.Predict(photo, Prompt.Point(150, 200).AndMask(cup.LowResLogits).AndPoint(60, 60, foreground: false));

        // Many objects against one image in one call.
        MaskPrediction[] many = sam.Predict(photo, [Prompt.Point(100, 100), Prompt.Point(300, 200), Prompt.Box(10, 10, 90, 90)]);

        // One, three or all four of the decoder's masks, whatever the prompt.
        MaskPrediction four = sam.Predict(photo, Prompt.Point(150, 200), MaskSelection.All);
        // end

        Assert.Single(cup);
        Assert.Single(refined);
        Assert.Equal([3, 3, 1], many.Select(m => m.Count));
        Assert.Equal(4, four.Count);
    }

    // Run in TextSearchTests, with another model of words and pictures.
    private static void Text(SamModel sam, PixelBuffer image)
    {
        // example: TextSearch
        using ClipModel clip = ClipModel.Load("clip-vit-base-patch32");
        IReadOnlyList<FoundMask> cups = TextSearch.Find(sam, clip, image, "a red cup");
        // end

        Assert.NotNull(cups);
    }

    [Fact]
    public void Text_WithoutItsFiles_SaysWhichAreMissing() =>
        Assert.Throws<FileNotFoundException>(() => Text(fixture.Model, Scene.Pixels));

    [Fact]
    public void MaskPrompts()
    {
        SamModel sam = fixture.Model;
        ImageEmbedding photo = fixture.StillLife;
        RleMask annotation = Scene.Find("mug").Mask;

        // example: MaskPrompts
        MaskPrediction better = sam.Predict(photo, Prompt.Mask(annotation));
        MaskPrediction corrected = sam.Predict(photo, Prompt.Mask(annotation).AndPoint(60, 60, foreground: false));
        // end

        Assert.True(better.Best.Mask.IntersectionOverUnion(annotation) > 0.9);
        Assert.True(corrected.Best.Mask.IntersectionOverUnion(annotation) > 0.8);
    }

    [Fact]
    public async Task Automatic()
    {
        SamModel sam = fixture.Model;
        // A small picture, so that the paper's crops take seconds here.
        PixelBuffer image = Scene.Pixels.Crop(250, 150, 96, 80);
        using CancellationTokenSource source = new();
        source.CancelAfter(TimeSpan.FromSeconds(5));
        CancellationToken cancellation = source.Token;
        try
        {
            // example: Automatic
            foreach (GeneratedMask mask in sam.GenerateMasks(image))
                Console.WriteLine($"{mask.Area} pixels at {mask.Box}, predicted IoU {mask.PredictedIou:F2}");

            // A third of the prompts, where there is most to see: nearly all of the masks in less than half of the time.
            foreach (GeneratedMask mask in sam.GenerateMasks(image, new AutomaticMaskOptions { PromptFraction = 1 / 3.0 }))
                Console.WriteLine(mask.Box);

            // Or each as soon as it is certain, cancellable, with the paper's own settings: crops of two layers, small regions removed.
            await foreach (GeneratedMask mask in sam.GenerateMasksAsync(image, AutomaticMaskOptions.Paper, cancellationToken: cancellation))
                Console.WriteLine(mask.Mask.ToCocoString());
            // end
        }
        catch (OperationCanceledException)
        {
            Assert.True(cancellation.IsCancellationRequested);
        }
    }

    [Fact]
    public void MaskToPng()
    {
        using var folder = new TemporaryFolder();
        string current = Environment.CurrentDirectory;
        SamModel sam = fixture.Model;
        ImageEmbedding photo = fixture.StillLife;
        LoadedImage picture = StillLife.Image;
        Environment.CurrentDirectory = folder.Path;
        try
        {
            // example: MaskToPng
            Prompt prompt = Prompt.Point(150, 200);
            RleMask mask = sam.Predict(photo, prompt).Best.Mask;

            // Over the picture, with the click; or its outline alone.
            MaskDrawing.Overlay(picture.ToPixelBuffer(), [mask], [prompt]).SavePng("overlay.png");
            MaskDrawing.Outline(picture.ToPixelBuffer(), [mask]).SavePng("outline.png");

            // The object on a transparent ground, cropped to it.
            MaskDrawing.CutOut(picture.ToPixelBuffer(), mask).SavePng("cut-out.png");

            // White on black, of the picture's size.
            byte[] bitmap = new byte[mask.Width * mask.Height];
            mask.ToBitmap(bitmap, foreground: 255);
            ImageFile.SavePng("mask.png", bitmap, mask.Width, mask.Height);
            // end

            LoadedImage overlay = ImageFile.Load("overlay.png"), outline = ImageFile.Load("outline.png");
            LoadedImage cutOut = ImageFile.Load("cut-out.png"), written = ImageFile.Load("mask.png");
            Assert.Equal([picture.Width, picture.Width, mask.BoundingBox.Width], [overlay.Width, outline.Width, cutOut.Width]);
            Assert.NotEqual(picture.Pixels, overlay.Pixels);
            Assert.NotEqual(overlay.Pixels, outline.Pixels);
            Assert.Equal(mask.Area, written.Pixels.Count(value => value == 255) / 3);
        }
        finally
        {
            Environment.CurrentDirectory = current;
        }
    }

    [Fact]
    public void MaskToSvg()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "mask.svg");
        RleMask mask = fixture.Model.Predict(fixture.StillLife, Prompt.Point(150, 200)).Best.Mask;

        // example: MaskToSvg
        File.WriteAllText(path, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {mask.Width} {mask.Height}">
              <path d="{mask.ToSvgPath()}" fill="{RgbColor.OfLabel(0)}" fill-opacity="0.45"/>
            </svg>
            """);

        // The same borders as numbers: a closed ring of x, y for each region and each hole.
        foreach (MaskPolygon polygon in mask.ToPolygons())
            Console.WriteLine($"{polygon.Coordinates.Length / 2} points");
        // end

        System.Xml.Linq.XElement svg = System.Xml.Linq.XElement.Load(path);
        Assert.Equal(mask.ToSvgPath(), svg.Elements().Single().Attribute("d")!.Value);
    }

    [Fact]
    public async Task EncodeGate()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        PixelBuffer picture = Scene.Pixels;

        // example: EncodeGate
        // Two encodings at once, each on half of the cores.
        const int together = 2;
        int threads = Math.Max(1, Environment.ProcessorCount / together);
        SamOptions options = new() { Execution = ExecutionOptions.For(new CpuProvider(threads)) };
        using SamModel sam = await SamModel.LoadAsync(SamModels.MobileSam, options: options, cancellationToken: cancellation);
        using SemaphoreSlim gate = new(together);

        async Task<ImageEmbedding> EncodeAsync(PixelBuffer pixels)
        {
            await gate.WaitAsync(cancellation);
            try
            {
                return await sam.EncodeAsync(pixels, cancellation);
            }
            finally
            {
                gate.Release();
            }
        }
        // end

        ImageEmbedding[] embeddings = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => EncodeAsync(picture)));
        RleMask expected = fixture.Model.Predict(fixture.StillLife, Prompt.Point(150, 200)).Best.Mask;
        Assert.All(embeddings, embedding =>
        {
            Assert.InRange(sam.Predict(embedding, Prompt.Point(150, 200)).Best.Mask.IntersectionOverUnion(expected), 0.999, 1);
            embedding.Dispose();
        });
    }

    [Fact]
    public void EmbeddingOnDisk()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "photo.embedding");
        (SamModel sam, ImageEmbedding photo) = (fixture.Model, fixture.StillLife);

        // example: EmbeddingOnDisk
        using (FileStream file = File.Create(path)) photo.Save(file);

        using FileStream saved = File.OpenRead(path);
        using ImageEmbedding again = sam.LoadEmbedding(saved);
        // end

        Assert.Equal(
            sam.Predict(photo, Prompt.Point(150, 200)).Best.Mask,
            sam.Predict(again, Prompt.Point(150, 200)).Best.Mask);
    }
}
