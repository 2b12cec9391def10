using System.Buffers;
using Google.Protobuf;
using SegmentAnything.Rle;

namespace SegmentAnything.Tests.Pipeline;

/// <summary>The public types together, on a model of kilobytes.</summary>
public sealed class PipelineTests
{
    private static readonly PixelBuffer Image = MakeImage(50, 37);

    [Fact]
    public void LayeredTypes_GiveWhatTheFacadeGives()
    {
        using SamModel sam = ToyModel.Load();
        using ImageEncoder encoder = new(ToyModel.Variant, ToyModel.Files());
        using PromptEncoder prompts = new(ToyModel.Variant, ToyModel.Files());
        using MaskDecoder decoder = new(ToyModel.Variant, ToyModel.Files());
        Prompt prompt = Prompt.Point(20, 10).AndBox(5, 5, 40, 30);

        using ImageEmbedding layered = encoder.Encode(Image);
        using ImageEmbedding facade = sam.Encode(Image);
        Assert.True(layered.Values.SequenceEqual(facade.Values));
        Assert.Equal(sam.Encoder.Fingerprint, layered.EncoderFingerprint);
        PredictedMask expected = sam.Predict(facade, prompt).Best;
        PredictedMask found = decoder.Decode(layered, prompts.Encode(prompt, layered.SourceSize)).Best;
        Assert.Equal(expected.Mask, found.Mask);
        Assert.Equal(expected.PredictedIou, found.PredictedIou);
    }

    [Fact]
    public void KernelsAndGraphs_GiveTheSameMasks()
    {
        using SamModel kernels = ToyModel.Load();
        using SamModel graphs = ToyModel.Load(new SamOptions { Decoder = DecoderBackend.Graph });
        using ImageEmbedding embedding = kernels.Encode(Image);
        Prompt[] prompts = [Prompt.Point(20, 10), Prompt.Box(5, 5, 40, 30), Prompt.Mask(new float[16 * 16]), Prompt.Point(3, 3).AndPoint(30, 30, foreground: false)];
        MaskPrediction[] first = kernels.Predict(embedding, prompts, MaskSelection.All);
        MaskPrediction[] second = graphs.Predict(embedding, prompts, MaskSelection.All);
        for (int i = 0; i < prompts.Length; i++)
        {
            foreach (PredictedMask mask in first[i])
            {
                PredictedMask other = second[i].Single(m => m.MaskToken == mask.MaskToken);
                Assert.Equal(other.PredictedIou, mask.PredictedIou, 1e-3);
                for (int j = 0; j < mask.LowResLogits.Length; j++)
                    Assert.Equal(other.LowResLogits.Span[j], mask.LowResLogits.Span[j], 1e-2);
            }
        }
    }

    [Fact]
    public void Predict_MasksHaveTheSourcesSizeAndAgreeWithTheirLogits()
    {
        using SamModel sam = ToyModel.Load();
        using ImageEmbedding embedding = sam.Encode(Image);
        foreach (PredictedMask mask in sam.Predict(embedding, Prompt.Point(20, 10), MaskSelection.All))
        {
            Assert.Equal((50, 37), (mask.Mask.Width, mask.Mask.Height));
            Assert.Equal(16 * 16, mask.LowResLogits.Length);
            bool allAbove = !mask.LowResLogits.Span.ContainsAnyInRange(float.NegativeInfinity, 0);
            bool allBelow = !mask.LowResLogits.Span.ContainsAnyInRange(float.Epsilon, float.PositiveInfinity);
            if (allAbove) Assert.Equal(RleMask.Full(50, 37), mask.Mask);
            if (allBelow) Assert.Equal(RleMask.Empty(50, 37), mask.Mask);
        }
    }

    // Whoever still has a disposed prediction's logits gets an exception, never what a later prediction wrote there.
    [Fact]
    public void Dispose_Prediction_KeepsItsMasksAndGivesUpItsLogits()
    {
        using SamModel sam = ToyModel.Load();
        using ImageEmbedding embedding = sam.Encode(Image);
        MaskPrediction prediction = sam.Predict(embedding, Prompt.Point(20, 10));
        ReadOnlyMemory<float> logits = prediction.LowResLogits;
        float[] values = logits.ToArray();
        RleMask mask = prediction.Best.Mask;
        Prompt refinement = Prompt.Point(20, 10).AndMask(logits);
        PredictedMask refined = sam.Predict(embedding, refinement).Best;
        using (MemoryHandle pinned = logits.Pin())
        {
            unsafe
            {
                Assert.Equal(values, new ReadOnlySpan<float>(pinned.Pointer, logits.Length).ToArray());
            }
        }

        prediction.Dispose();
        prediction.Dispose();
        Assert.Same(mask, prediction.Best.Mask);
        Assert.Contains("AndMask", Assert.Throws<ObjectDisposedException>(() => logits.ToArray()).Message, StringComparison.Ordinal);
        Assert.Throws<ObjectDisposedException>(() => sam.Predict(embedding, refinement));
        using MaskPrediction again = sam.Predict(embedding, Prompt.Point(20, 10).AndMask(values));
        Assert.Equal(refined.Mask, again.Best.Mask);
        Assert.Throws<ObjectDisposedException>(() => logits.Span.Length);
    }

    // Predictions of one call share their memory: it goes back with the last of them.
    [Fact]
    public void Dispose_SomePredictionsOfACall_LeavesTheLogitsOfTheOthers()
    {
        using SamModel sam = ToyModel.Load();
        using ImageEmbedding embedding = sam.Encode(Image);
        MaskPrediction[] predictions = sam.Predict(embedding, [Prompt.Point(20, 10), Prompt.Point(30, 12), Prompt.Point(5, 30)]);
        float[] expected = predictions[1].LowResLogits.ToArray();
        predictions[0].Dispose();
        predictions[0].Dispose();
        predictions[2].Dispose();
        sam.Predict(embedding, [Prompt.Point(9, 9), Prompt.Point(8, 8), Prompt.Point(7, 7)]);
        Assert.Equal(expected, predictions[1].LowResLogits.ToArray());
        predictions[1].Dispose();
        Assert.Throws<ObjectDisposedException>(() => predictions[1].LowResLogits.ToArray());
    }

    [Fact]
    public void Encode_EncoderThatNormalisesItself_GivesTheSameEmbedding()
    {
        using SamModel outside = ToyModel.Load();
        using SamModel inside = SamModel.Load(ToyModel.Variant,
            ModelFiles.FromBuffers(ToyModel.Encoder(normalises: true), ToyModel.Decoder().ToByteArray()));
        // A picture that fills the square: padding is zero before or after normalisation, which differs.
        PixelBuffer square = MakeImage(64, 64);
        using ImageEmbedding expected = outside.Encode(square);
        using ImageEmbedding found = inside.Encode(square);
        for (int i = 0; i < expected.Values.Length; i++) Assert.Equal(expected.Values[i], found.Values[i], 1e-4);
    }

    [Fact]
    public void Load_EncoderOfAnotherSize_IsRefusedWithBothShapes()
    {
        ModelFiles files = ModelFiles.FromBuffers(ToyModel.Encoder(imageSize: 128), ToyModel.Decoder().ToByteArray());
        string message = Assert.Throws<ModelContractException>(() => SamModel.Load(ToyModel.Variant, files)).Message;
        Assert.Contains("128", message);
        Assert.Contains("64", message);
    }

    [Fact]
    public void Load_FilesSwapped_AreRefused()
    {
        ModelFiles swapped = ModelFiles.FromBuffers(ToyModel.Decoder().ToByteArray(), ToyModel.Encoder());
        Assert.Throws<CheckpointException>(() => SamModel.Load(ToyModel.Variant, swapped));
    }

    [Fact]
    public void Load_TruncatedEncoder_IsRefused()
    {
        byte[] encoder = ToyModel.Encoder();
        ModelFiles files = ModelFiles.FromBuffers(encoder.AsMemory(0, encoder.Length / 2), ToyModel.Decoder().ToByteArray());
        Exception e = Assert.ThrowsAny<Exception>(() => SamModel.Load(ToyModel.Variant, files));
        Assert.True(e is ModelContractException or CheckpointException, e.ToString());
    }

    [Fact]
    public void Load_Folder_RecognisesSizesAndTakesItsName()
    {
        string folder = Directory.CreateTempSubdirectory("toy-sam-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "encoder.onnx"), ToyModel.Encoder());
            File.WriteAllBytes(Path.Combine(folder, "decoder.onnx"), ToyModel.Decoder().ToByteArray());
            using SamModel sam = SamModel.Load(folder);
            Assert.Equal(Path.GetFileName(folder), sam.Variant.Name);
            Assert.Equal((ToyModel.ImageSize, ToyModel.Channels, ToyModel.Grid),
                (sam.Variant.ImageSize, sam.Variant.EmbeddingChannels, sam.Variant.EmbeddingGrid));
            using ImageEmbedding embedding = sam.Encode(Image);
            Assert.Equal(3, sam.Predict(embedding, Prompt.Point(1, 1)).Count);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Load_NeitherNameNorFolder_ListsTheNames()
    {
        string message = Assert.Throws<ModelNotFoundException>(() => SamModel.Load("no-such-model")).Message;
        Assert.Contains("no-such-model", message);
        Assert.Contains("mobile-sam", message);
    }

    [Fact]
    public async Task Decode_ModelDisposedOnTheWay_EndsOrIsRefusedButNeverCrashes()
    {
        for (int round = 0; round < 20; round++)
        {
            SamModel sam = ToyModel.Load(round % 2 == 0 ? null : new SamOptions { Decoder = DecoderBackend.Graph });
            using ImageEmbedding embedding = sam.Encode(Image);
            Task[] tasks = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                try
                {
                    for (int i = 0; i < 50; i++) sam.Predict(embedding, Prompt.Point(20, 10));
                }
                catch (ObjectDisposedException)
                {
                    // The answer a late call is owed.
                }
            }))];
            await Task.Delay(round);
            sam.Dispose();
            await Task.WhenAll(tasks);
        }
    }

    [Fact]
    public async Task Predict_EmbeddingDisposedOnTheWay_EndsOrIsRefusedButNeverCrashes()
    {
        using SamModel sam = ToyModel.Load();
        for (int round = 0; round < 20; round++)
        {
            ImageEmbedding embedding = sam.Encode(Image);
            Task[] tasks = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                try
                {
                    for (int i = 0; i < 50; i++) sam.Predict(embedding, Prompt.Point(20, 10));
                }
                catch (ObjectDisposedException)
                {
                    // The answer a late call is owed.
                }
            }))];
            await Task.Delay(round);
            embedding.Dispose();
            await Task.WhenAll(tasks);
        }
    }

    private static PixelBuffer MakeImage(int width, int height)
    {
        byte[] pixels = new byte[width * height * 3];
        new Random(9).NextBytes(pixels);
        return PixelBuffer.FromRgb24(pixels, width, height);
    }
}
