using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

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

            // Or as they come, cancellable, with the paper's own settings: crops of two layers, small regions removed.
            await foreach (GeneratedMask mask in sam.GenerateMasksAsync(image, AutomaticMaskOptions.Paper, cancellationToken: cancellation))
                Console.WriteLine(mask.Mask.ToCocoString());
            // end
        }
        catch (OperationCanceledException)
        {
            Assert.True(cancellation.IsCancellationRequested);
        }
    }
}
