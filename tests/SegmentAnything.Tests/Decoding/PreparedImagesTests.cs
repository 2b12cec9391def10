using System.Runtime.CompilerServices;

namespace SegmentAnything.Tests.Decoding;

/// <summary>What the decoder keeps of images: within its budget, and no longer than the embedding.</summary>
public sealed class PreparedImagesTests
{
    private static readonly PixelBuffer Image = PixelBuffer.FromGray8(new byte[40 * 30], 40, 30);
    private static readonly Prompt Click = Prompt.Point(20, 15);

    [Fact]
    public void AfterAPrompt_TheDecoderHoldsTheImage_AndGivesItBackWithTheEmbedding()
    {
        using SamModel sam = ToyModel.Load(new SamOptions { PreparesEncodedImages = false });
        using ImageEmbedding first = sam.Encode(Image), second = sam.Encode(Image);
        Assert.Equal(0, sam.Decoder.PreparedImageBytes);
        sam.Predict(first, Click).Dispose();
        long one = sam.Decoder.PreparedImageBytes;
        Assert.True(one > 0);
        sam.Predict(first, Click).Dispose();
        Assert.Equal(one, sam.Decoder.PreparedImageBytes);
        sam.Predict(second, Click).Dispose();
        Assert.Equal(2 * one, sam.Decoder.PreparedImageBytes);
        first.Dispose();
        Assert.Equal(one, sam.Decoder.PreparedImageBytes);
        second.Dispose();
        Assert.Equal(0, sam.Decoder.PreparedImageBytes);
    }

    [Fact]
    public async Task Encoding_PreparesTheImageForItsFirstPrompt()
    {
        using SamModel sam = ToyModel.Load(), later = ToyModel.Load(new SamOptions { PreparesEncodedImages = false });
        using ImageEmbedding first = sam.Encode(Image), second = await sam.EncodeAsync(Image, TestContext.Current.CancellationToken);
        using ImageEmbedding unprepared = later.Encode(Image);
        long two = sam.Decoder.PreparedImageBytes;
        Assert.True(two > 0);
        MaskPrediction expected = later.Predict(unprepared, Click), found = sam.Predict(first, Click);
        Assert.Equal(expected.Best.Mask, found.Best.Mask);
        Assert.Equal(expected.Best.PredictedIou, found.Best.PredictedIou);
        Assert.Equal(two, sam.Decoder.PreparedImageBytes);
        Assert.Equal(two, 2 * later.Decoder.PreparedImageBytes);
    }

    [Fact]
    public void Prepare_DoesItForAnyEmbedding_AndNothingWhereTheBudgetHoldsNoImage()
    {
        using SamModel sam = ToyModel.Load();
        using MemoryStream file = new();
        using (ImageEmbedding saved = sam.Encode(Image)) saved.Save(file);
        file.Position = 0;
        using ImageEmbedding loaded = sam.LoadEmbedding(file);
        Assert.Equal(0, sam.Decoder.PreparedImageBytes);
        sam.Decoder.Prepare(loaded, TestContext.Current.CancellationToken);
        long one = sam.Decoder.PreparedImageBytes;
        Assert.True(one > 0);
        sam.Decoder.Prepare(loaded, TestContext.Current.CancellationToken);
        Assert.Equal(one, sam.Decoder.PreparedImageBytes);
        loaded.Dispose();
        Assert.Throws<ObjectDisposedException>(() => sam.Decoder.Prepare(loaded, TestContext.Current.CancellationToken));

        using SamModel small = ToyModel.Load(new SamOptions { PreparedImageBudget = one - 1 });
        using ImageEmbedding encoded = small.Encode(Image);
        Assert.Equal(0, small.Decoder.PreparedImageBytes);
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => small.Decoder.Prepare(encoded, cancelled.Token));
    }

    [Theory]
    [InlineData(DecoderBackend.Auto)]
    [InlineData(DecoderBackend.Graph)]
    public void BeyondTheBudget_TheOldestImageGoes_AndAnswersStayTheSame(DecoderBackend backend)
    {
        using SamModel unlimited = ToyModel.Load(new SamOptions { Decoder = backend });
        using ImageEmbedding sample = unlimited.Encode(Image);
        MaskPrediction expected = unlimited.Predict(sample, Click);
        long one = unlimited.Decoder.PreparedImageBytes;

        using SamModel sam = ToyModel.Load(new SamOptions { Decoder = backend, PreparedImageBudget = (2 * one) + 1 });
        ImageEmbedding[] embeddings = [.. Enumerable.Range(0, 5).Select(_ => sam.Encode(Image))];
        foreach (ImageEmbedding embedding in (ImageEmbedding[])[.. embeddings, .. embeddings])
        {
            MaskPrediction found = sam.Predict(embedding, Click);
            Assert.Equal(expected.Best.Mask, found.Best.Mask);
            Assert.Equal(expected.Best.PredictedIou, found.Best.PredictedIou);
            Assert.InRange(sam.Decoder.PreparedImageBytes, one, 2 * one);
        }

        foreach (ImageEmbedding embedding in embeddings) embedding.Dispose();
        Assert.Equal(0, sam.Decoder.PreparedImageBytes);
    }

    [Fact]
    public void ABudgetOfNothing_KeepsNothingBetweenCalls()
    {
        using SamModel sam = ToyModel.Load(new SamOptions { PreparedImageBudget = 0 });
        using ImageEmbedding embedding = sam.Encode(Image);
        sam.Predict(embedding, Click).Dispose();
        Assert.Equal(0, sam.Decoder.PreparedImageBytes);
        Assert.Throws<ArgumentOutOfRangeException>(() => new SamOptions { PreparedImageBudget = -1 });
    }

    [Fact]
    public void AnEmbeddingThatNobodyHas_IsCollected_AndWhatWasKeptOfItGoesWithTheNextPrompt()
    {
        using SamModel sam = ToyModel.Load();
        WeakReference forgotten = PromptAndForget(sam);
        for (int i = 0; i < 10 && forgotten.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(forgotten.IsAlive);
        long before = sam.Decoder.PreparedImageBytes;
        using ImageEmbedding next = sam.Encode(Image);
        sam.Predict(next, Click).Dispose();
        Assert.Equal(before, sam.Decoder.PreparedImageBytes);
    }

    [Fact]
    public void ManyThreadsOnFewImages_WithinASmallBudget_GiveTheSameAnswers()
    {
        using SamModel sam = ToyModel.Load(new SamOptions { PreparedImageBudget = 1 });
        ImageEmbedding[] embeddings = [.. Enumerable.Range(0, 3).Select(_ => sam.Encode(Image))];
        MaskPrediction expected = sam.Predict(embeddings[0], Click);
        Parallel.For(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            MaskPrediction found = sam.Predict(embeddings[i % embeddings.Length], Click);
            Assert.Equal(expected.Best.Mask, found.Best.Mask);
        });
        foreach (ImageEmbedding embedding in embeddings) embedding.Dispose();
        Assert.Equal(0, sam.Decoder.PreparedImageBytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference PromptAndForget(SamModel sam)
    {
        ImageEmbedding embedding = sam.Encode(Image);
        sam.Predict(embedding, Click).Dispose();
        return new WeakReference(embedding);
    }
}
