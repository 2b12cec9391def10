using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

namespace SegmentAnything.Tests.Decoding;

/// <summary>Counts what the whole process allocates, so nothing else may run meanwhile.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AllocationCollection
{
    public const string Name = "Counts allocated bytes";
}

[Collection(AllocationCollection.Name)]
public class TiledMaskDecoderAllocationTests
{
    // The words of the documentation: in steady state a call allocates no managed memory. One prompt is shared by the threads,
    // eight are divided among them.
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void Decode_InSteadyState_AllocatesNoManagedMemory(int prompts)
    {
        const int Channels = 32, Grid = 16;
        using StateDict weights = RandomDecoder.Weights(Channels, 64, 32, 3, seed: 9);
        var random = new Random(9);
        float[] embedding = RandomDecoder.Values(random, Channels * Grid * Grid), dense = RandomDecoder.Values(random, Channels);
        float[] tokens = RandomDecoder.Values(random, prompts * 2 * Channels);
        float[] logits = new float[prompts * 3 * 16 * Grid * Grid], iou = new float[prompts * 3];
        using var splitter = new WorkSplitter(2);
        using var engine = new TiledMaskDecoder(weights, RandomDecoder.LayoutOf(weights), splitter);
        using IPreparedImage image = engine.Prepare(embedding, dense, null, CancellationToken.None);
        for (int warmUp = 0; warmUp < 100; warmUp++) engine.Run(image, tokens, prompts, 2, new WantedMasks(1, 3), logits, iou);

        // The runtime's own threads allocate now and then; the decoder would in every attempt.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 20 && least > 0; attempt++)
        {
            long own = GC.GetAllocatedBytesForCurrentThread(), before = GC.GetTotalAllocatedBytes(precise: true);
            for (int call = 0; call < 5; call++) engine.Run(image, tokens, prompts, 2, new WantedMasks(1, 3), logits, iou);
            long all = GC.GetTotalAllocatedBytes(precise: true) - before;
            own = GC.GetAllocatedBytesForCurrentThread() - own;
            Assert.Equal(0, own);
            least = Math.Min(least, all);
        }

        Assert.Equal(0, least);
    }
}
