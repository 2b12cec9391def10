using CommunityToolkit.HighPerformance.Buffers;

namespace SegmentAnything.ModelTests.Pipeline;

/// <summary>Whatever is wrong with what a user gives, the answer says what was found, what was expected, what to do.</summary>
[Collection(MobileSamCollection.Name)]
public sealed class BadInputTests(MobileSam fixture)
{
    private SamModel Sam => fixture.Model;

    [Fact]
    public void Encode_DefaultBuffer_IsRefused() => Assert.Throws<ArgumentException>(() => Sam.Encode(default));

    [Fact]
    public void Encode_OnePixelAndExtremeStrips_GiveEmbeddings()
    {
        foreach ((int width, int height) in new[] { (1, 1), (1, 4000), (4000, 1), (3, 2) })
        {
            using ImageEmbedding embedding = Sam.Encode(PixelBuffer.FromGray8(new byte[width * height], width, height));
            Assert.Equal(new ImageSize(width, height), embedding.SourceSize);
            PredictedMask mask = Sam.Predict(embedding, Prompt.Point(width / 2f, height / 2f)).Best;
            Assert.Equal((width, height), (mask.Mask.Width, mask.Mask.Height));
        }
    }

    [Theory]
    [InlineData(-1, 10)]
    [InlineData(10, -0.5f)]
    [InlineData(768.5f, 10)]
    [InlineData(10, 577)]
    public void Predict_PointOutsideTheImage_IsRefusedWithTheImagesSize(float x, float y)
    {
        ImageEmbedding embedding = fixture.StillLife;
        string message = Assert.Throws<ArgumentOutOfRangeException>(() => Sam.Predict(embedding, Prompt.Point(x, y))).Message;
        Assert.Contains("768x576", message);
    }

    [Fact]
    public void Predict_PointsOnTheEdges_AreAccepted()
    {
        ImageEmbedding embedding = fixture.StillLife;
        Assert.Equal(3, Sam.Predict(embedding, Prompt.Point(0, 0)).Count);
        Assert.Equal(3, Sam.Predict(embedding, Prompt.Point(768, 576)).Count);
    }

    [Fact]
    public void Predict_BoxOutsideTheImage_IsRefusedAndTheClipShown()
    {
        ImageEmbedding embedding = fixture.StillLife;
        string message = Assert.Throws<ArgumentOutOfRangeException>(() => Sam.Predict(embedding, Prompt.Box(10, 10, 900, 100))).Message;
        Assert.Contains("(0, 0)-(768, 576)", message);
    }

    [Fact]
    public void Predict_MaskOfAnotherSize_IsRefusedWithBothSizes()
    {
        ImageEmbedding embedding = fixture.StillLife;
        string message = Assert.Throws<ArgumentException>(() => Sam.Predict(embedding, Prompt.Mask(new float[100]))).Message;
        Assert.Contains("100 values", message);
        Assert.Contains("256 x 256", message);
    }

    [Fact]
    public void Predict_MaskWithNaN_IsRefused()
    {
        ImageEmbedding embedding = fixture.StillLife;
        float[] mask = new float[256 * 256];
        mask[77] = float.NaN;
        Assert.Throws<ArgumentException>(() => Sam.Predict(embedding, Prompt.Point(5, 5).AndMask(mask)));
    }

    [Fact]
    public void Decode_PromptOfAnotherImageSize_IsRefused()
    {
        ImageEmbedding embedding = fixture.StillLife;
        EncodedPrompt prompt = Sam.PromptEncoder.Encode(Prompt.Point(5, 5), new ImageSize(100, 100));
        string message = Assert.Throws<ArgumentException>(() => Sam.Decoder.Decode(embedding, prompt)).Message;
        Assert.Contains("100x100", message);
        Assert.Contains("768x576", message);
    }

    [Fact]
    public void Decode_EmbeddingOfAnotherModel_IsRefusedByName()
    {
        using ImageEmbedding foreign = new(
            MemoryOwner<float>.Allocate(32 * 8 * 8), [new FeatureMapShape(FeatureMapShape.Embedding, 32, 8)], new ImageFrame(new ImageSize(10, 10), 128), "tiny", "0123456789abcdef");
        string message = Assert.Throws<ModelContractException>(() => Sam.Predict(foreign, Prompt.Point(5, 5))).Message;
        Assert.Contains("tiny", message);
        Assert.Contains("mobile-sam", message);
    }

    [Fact]
    public void LoadEmbedding_OfAnotherEncoder_IsRefused()
    {
        using ImageEmbedding foreign = new(
            MemoryOwner<float>.Allocate(256 * 64 * 64, AllocationMode.Clear), [new FeatureMapShape(FeatureMapShape.Embedding, 256, 64)],
            new ImageFrame(new ImageSize(10, 10), 1024), "mobile-sam", "0123456789abcdef");
        using MemoryStream stream = new();
        foreign.Save(stream);
        stream.Position = 0;
        Assert.Contains("0123456789ab", Assert.Throws<ModelContractException>(() => Sam.LoadEmbedding(stream)).Message);
    }

    [Fact]
    public void Predict_DisposedEmbedding_IsRefused()
    {
        ImageEmbedding embedding = Sam.Encode(Scene.Pixels);
        embedding.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Sam.Predict(embedding, Prompt.Point(5, 5)));
    }

    [Fact]
    public void EveryPart_AfterDispose_IsRefused()
    {
        ImageEmbedding embedding = fixture.StillLife;
        EncodedPrompt prompt = Sam.PromptEncoder.Encode(Prompt.Point(5, 5), embedding.SourceSize);
        SamModel sam = SamModel.Load(SamModels.MobileSam);
        sam.Dispose();
        sam.Dispose();
        Assert.Throws<ObjectDisposedException>(() => sam.Encode(Scene.Pixels));
        Assert.Throws<ObjectDisposedException>(() => sam.PromptEncoder.Encode(Prompt.Point(5, 5), embedding.SourceSize));
        Assert.Throws<ObjectDisposedException>(() => sam.Decoder.Decode(embedding, prompt));
    }

    [Fact]
    public void EveryPart_CancelledToken_Throws()
    {
        CancellationToken cancelled = new(canceled: true);
        ImageEmbedding embedding = fixture.StillLife;
        Assert.ThrowsAny<OperationCanceledException>(() => Sam.Encode(Scene.Pixels, cancelled));
        Assert.ThrowsAny<OperationCanceledException>(() => Sam.Predict(embedding, Prompt.Point(5, 5), cancellationToken: cancelled));
        // And the model is as good as before.
        Assert.Equal(3, Sam.Predict(embedding, Prompt.Point(5, 5)).Count);
    }

    [Fact]
    public async Task Encode_CancelledOnTheWay_Throws()
    {
        using CancellationTokenSource source = new();
        Task<ImageEmbedding> encoding = Task.Run(() => Sam.Encode(Scene.Pixels, source.Token));
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => encoding);
    }
}
