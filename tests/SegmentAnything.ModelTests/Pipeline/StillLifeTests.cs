using SegmentAnything.TestSupport;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.ModelTests.Pipeline;

/// <summary>End to end on a picture whose objects are known: what a user sees.</summary>
[Collection(MobileSamCollection.Name)]
public sealed class StillLifeTests(MobileSam fixture)
{
    public static TheoryData<string> Objects { get; } = [.. StillLife.Objects.Select(o => o.Name)];

    [Theory]
    [MemberData(nameof(Objects))]
    public void Predict_OnePoint_OneOfTheThreeMasksIsTheObject(string name)
    {
        (StillLifeObject drawn, RleMask silhouette) = Scene.Find(name);
        ImageEmbedding embedding = fixture.StillLife;
        MaskPrediction masks = fixture.Model.Predict(embedding, Prompt.Point(drawn.ClickX, drawn.ClickY));
        Assert.Equal(3, masks.Count);
        Assert.True(masks[0].PredictedIou >= masks[1].PredictedIou && masks[1].PredictedIou >= masks[2].PredictedIou);
        double best = masks.Max(m => m.Mask.IntersectionOverUnion(silhouette));
        Assert.True(best > 0.85, $"the best of three masks overlaps the {name} by {best}");
    }

    [Theory]
    [MemberData(nameof(Objects))]
    public void Predict_Box_GivesTheObject(string name)
    {
        (_, RleMask silhouette) = Scene.Find(name);
        MaskBox box = silhouette.BoundingBox;
        ImageEmbedding embedding = fixture.StillLife;
        MaskPrediction masks = fixture.Model.Predict(embedding, Prompt.Box(box.X, box.Y, box.X + box.Width, box.Y + box.Height));
        double overlap = Assert.Single(masks).Mask.IntersectionOverUnion(silhouette);
        Assert.True(overlap > 0.9, $"the mask overlaps the {name} by {overlap}");
    }

    [Fact]
    public void Predict_WithTheLastMask_RefinesIt()
    {
        (StillLifeObject drawn, RleMask silhouette) = Scene.Find("mug");
        ImageEmbedding embedding = fixture.StillLife;
        Prompt prompt = Prompt.Point(drawn.ClickX, drawn.ClickY);
        PredictedMask whole = fixture.Model.Predict(embedding, prompt).MaxBy(m => m.Mask.IntersectionOverUnion(silhouette))!;
        MaskPrediction refined = fixture.Model.Predict(embedding, prompt.AndMask(whole.LowResLogits));
        double overlap = Assert.Single(refined).Mask.IntersectionOverUnion(silhouette);
        Assert.True(overlap > 0.85, $"the refined mask overlaps the mug by {overlap}");
        // The rough mask was listened to: without it the answer is another one.
        Assert.NotEqual(fixture.Model.Predict(embedding, prompt, MaskSelection.Single).Best.Mask, refined.Best.Mask);
    }

    [Fact]
    public void Encode_EveryPixelFormatAndStride_GivesTheSameEmbedding()
    {
        LoadedImage image = StillLife.Image;
        using ImageEmbedding expected = fixture.Model.Encode(image.ToPixelBuffer());
        const int padding = 5;
        foreach ((PixelFormat format, int[] order) in new[]
        {
            (PixelFormat.Bgr24, new[] { 2, 1, 0 }), (PixelFormat.Rgba32, [0, 1, 2, -1]), (PixelFormat.Bgra32, [2, 1, 0, -1]),
        })
        {
            int stride = (image.Width * order.Length) + padding;
            byte[] bytes = new byte[stride * image.Height];
            for (int y = 0; y < image.Height; y++)
            {
                for (int x = 0; x < image.Width; x++)
                {
                    for (int c = 0; c < order.Length; c++)
                    {
                        bytes[(y * stride) + (x * order.Length) + c] =
                            order[c] < 0 ? (byte)77 : image.Pixels[(((y * image.Width) + x) * 3) + order[c]];
                    }
                }
            }

            using ImageEmbedding found = fixture.Model.Encoder.Encode(bytes.AsSpan(), image.Width, image.Height, format, stride);
            Assert.True(expected.Values.SequenceEqual(found.Values), $"{format}");
        }
    }

    [Fact]
    public void Predict_ManyPrompts_GivesWhatOneCallEachGives()
    {
        ImageEmbedding embedding = fixture.StillLife;
        float[] rough = fixture.Model.Predict(embedding, Prompt.Point(300, 300)).LowResLogits.ToArray();
        Prompt[] prompts =
        [
            Prompt.Point(200, 300), Prompt.Box(100, 100, 400, 400), Prompt.Point(500, 300), Prompt.Mask(rough),
            Prompt.Point(200, 300).AndPoint(500, 300, foreground: false), Prompt.Point(300, 300).AndMask(rough), Prompt.Point(20, 20),
        ];
        foreach (MaskSelection selection in Enum.GetValues<MaskSelection>())
        {
            MaskPrediction[] together = fixture.Model.Predict(embedding, prompts, selection);
            for (int i = 0; i < prompts.Length; i++)
            {
                MaskPrediction alone = fixture.Model.Predict(embedding, prompts[i], selection);
                Assert.Equal(alone.Count, together[i].Count);
                foreach (PredictedMask mask in alone)
                {
                    PredictedMask other = together[i].Single(m => m.MaskToken == mask.MaskToken);
                    Assert.Equal(mask.PredictedIou, other.PredictedIou, 1e-4);
                    double difference = ReferenceFile.MaxDifference(other.LowResLogits.Span, mask.LowResLogits.Span);
                    Assert.True(difference < 1e-3, $"prompt {i}, {selection}: logits differ by {difference}");
                }
            }
        }
    }

    [Theory]
    [InlineData(MaskSelection.Single, 1)]
    [InlineData(MaskSelection.Multiple, 3)]
    [InlineData(MaskSelection.All, 4)]
    public void Predict_Selection_DecidesHowManyMasks(MaskSelection selection, int expected)
    {
        ImageEmbedding embedding = fixture.StillLife;
        Assert.Equal(expected, fixture.Model.Predict(embedding, Prompt.Point(300, 300), selection).Count);
        Assert.Equal(expected, fixture.Model.Predict(embedding, Prompt.Box(100, 100, 400, 400), selection).Count);
    }

    [Fact]
    public void SavedEmbedding_GivesTheSameMasks()
    {
        ImageEmbedding embedding = fixture.StillLife;
        using MemoryStream stream = new();
        embedding.Save(stream);
        stream.Position = 0;
        using ImageEmbedding loaded = fixture.Model.LoadEmbedding(stream);
        Assert.Equal(fixture.Model.Predict(embedding, Prompt.Point(300, 300)).Best.Mask, fixture.Model.Predict(loaded, Prompt.Point(300, 300)).Best.Mask);
    }
}
