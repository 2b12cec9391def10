using System.Diagnostics;
using SegmentAnything.Rle;

namespace SegmentAnything.ModelTests.Pipeline;

/// <summary>One loaded model serves many threads.</summary>
[Collection(MobileSamCollection.Name)]
public sealed class ConcurrencyTests(MobileSam fixture)
{
    private const int Threads = 8;

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(30);

    /// <summary>Eight threads mix encoding, points, boxes and masks on one model for 30 seconds.</summary>
    [Fact]
    public void OneModel_EightThreads_EveryAnswerEqualsTheSingleThreadedOneBitForBit()
    {
        SamModel sam = fixture.Model;
        PixelBuffer[] images = [Scene.Pixels, Scene.Pixels.Crop(200, 100, 300, 401)];
        Prompt[] prompts = [Prompt.Point(150, 200), Prompt.Box(40, 50, 260, 300), Prompt.Point(100, 100).AndPoint(200, 300, foreground: false)];
        float[][] embeddings = [.. images.Select(image => Use(sam.Encode(image), e => e.Values.ToArray()))];
        Answer[][] expected = [.. images.Select(image => Use(sam.Encode(image), e => prompts.Select(p => Answer.Of(sam.Predict(e, p))).ToArray()))];

        Stopwatch clock = Stopwatch.StartNew();
        int predictions = 0;
        Parallel.For(0, Threads, new ParallelOptions { MaxDegreeOfParallelism = Threads }, thread =>
        {
            Random random = new(thread);
            do
            {
                int i = random.Next(images.Length);
                using ImageEmbedding embedding = sam.Encode(images[i]);
                Assert.True(embedding.Values.SequenceEqual(embeddings[i]), $"thread {thread}: the embedding differs");
                for (int repeat = 0; repeat < 5; repeat++)
                {
                    int p = random.Next(prompts.Length);
                    Assert.True(Answer.Of(sam.Predict(embedding, prompts[p])).Equals(expected[i][p]), $"thread {thread}: image {i}, prompt {p} differs");
                    Interlocked.Increment(ref predictions);
                }
            }
            while (clock.Elapsed < Duration);
        });
        Assert.True(predictions >= Threads, $"only {predictions} predictions were made");
    }

    private static T Use<T>(ImageEmbedding embedding, Func<ImageEmbedding, T> read)
    {
        using (embedding) return read(embedding);
    }

    /// <summary>Everything a prediction says, comparable bit for bit.</summary>
    private sealed record Answer(int[] Tokens, float[] Scores, float[] Logits, RleMask[] Masks)
    {
        public static Answer Of(MaskPrediction prediction) => new(
            [.. prediction.Select(m => m.MaskToken)],
            [.. prediction.Select(m => m.PredictedIou)],
            [.. prediction.SelectMany(m => m.LowResLogits.ToArray())],
            [.. prediction.Select(m => m.Mask)]);

        public bool Equals(Answer? other) => other is not null && Tokens.SequenceEqual(other.Tokens)
            && Scores.SequenceEqual(other.Scores) && Logits.AsSpan().SequenceEqual(other.Logits) && Masks.SequenceEqual(other.Masks);

        public override int GetHashCode() => Scores.Length;
    }
}
