using System.Numerics;
using SegmentAnything.Tests.Decoding;

namespace SegmentAnything.Tests.Pipeline;

/// <summary>What a prompt costs in memory when many have gone before.</summary>
[Collection(AllocationCollection.Name)]
public sealed class PredictAllocationTests
{
    private const int Width = 900, Height = 600;

    // Objects and array headers of a prediction of three masks; the values in the arrays are counted to the byte.
    private const int Headers = 1024;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Predict_InSteadyState_AllocatesNothingButTheReturnedMasks(bool dispose)
    {
        using SamModel sam = ToyModel.Load();
        using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromRgb24(new byte[Width * Height * 3], Width, Height));
        Prompt click = Prompt.Point(450, 200);
        MaskPrediction prediction = sam.Predict(embedding, click);
        Assert.Equal(3, prediction.Count);
        // Logits that nobody gives back are in an array of the pool's next size.
        long logits = dispose ? 0 : sizeof(float) * (long)BitOperations.RoundUpToPowerOf2((uint)prediction.Sum(m => m.LowResLogits.Length));
        long returned = logits + prediction.Sum(m => (long)m.Mask.Counts.Length * sizeof(int));
        for (int warmUp = 0; warmUp < 200; warmUp++) Predict();

        // The runtime's own threads allocate now and then, and code that is not optimised yet boxes values.
        const int Calls = 10;
        long each = long.MaxValue;
        for (int attempt = 0; attempt < 20; attempt++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int call = 0; call < Calls; call++) Predict();
            each = Math.Min(each, (GC.GetTotalAllocatedBytes(precise: true) - before) / Calls);
        }

        Assert.InRange(each, returned, returned + Headers);

        void Predict()
        {
            MaskPrediction masks = sam.Predict(embedding, click);
            if (dispose) masks.Dispose();
        }
    }

    [Fact]
    public void Predict_TenThousandTimes_TheWorkingSetStaysFlat()
    {
        using SamModel sam = ToyModel.Load();
        using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromRgb24(new byte[Width * Height * 3], Width, Height));
        Prompt[] prompts = [.. Enumerable.Range(0, 100).Select(i => Prompt.Point(9 * i, 6 * i))];
        Predict(2_000);
        long before = Settled();
        Predict(10_000);
        // A leak of one kilobyte a prompt would be ten megabytes.
        Assert.InRange(Settled() - before, long.MinValue, 8 << 20);

        void Predict(int times)
        {
            for (int i = 0; i < times; i++) sam.Predict(embedding, prompts[i % prompts.Length]);
        }

        static long Settled()
        {
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            return Environment.WorkingSet;
        }
    }
}
