using System.Runtime.CompilerServices;

namespace SegmentAnything.Tests.Pipeline;

/// <summary>What is disposed leaves nothing behind: a process that loads and drops models for days stays as large as it was.</summary>
[Collection(AloneCollection.Name)]
public sealed class MemoryTests
{
    private const int Cycles = 100;
    private const int MostRounds = 4;

    // Less than the smallest thing that a cycle could keep: a hundredth of the embedding.
    private const long MostBytesPerCycle = 2048;

    [Fact]
    public void LoadEncodePredictDispose_ManyTimes_LeavesMemoryAsItWas()
    {
        byte[] pixels = new byte[96 * 64 * 3];
        ModelFiles files = ToyModel.Files();
        Check(() =>
        {
            using SamModel sam = SamModel.Load(ToyModel.Variant, files);
            using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromRgb24(pixels, 96, 64));
            using MaskPrediction first = sam.Predict(embedding, Prompt.Point(40, 30));
            using MaskPrediction refined = sam.Predict(embedding, Prompt.Point(40, 30).AndMask(first.LowResLogits));
        });
    }

    [Fact]
    public void OneEmbedding_OfManyModels_KeepsNoneOfThem()
    {
        ModelFiles files = ToyModel.Files();
        using SamModel maker = SamModel.Load(ToyModel.Variant, files);
        using ImageEmbedding embedding = maker.Encode(PixelBuffer.FromRgb24(new byte[96 * 64 * 3], 96, 64));
        Check(() =>
        {
            using SamModel sam = SamModel.Load(ToyModel.Variant, files);
            using MaskPrediction masks = sam.Predict(embedding, Prompt.Point(40, 30));
        });
    }

    [Fact]
    public void OneEmbedding_OfModelsThatNobodyDisposed_KeepsNoneOfThem()
    {
        ModelFiles files = ToyModel.Files();
        using SamModel maker = SamModel.Load(ToyModel.Variant, files);
        using ImageEmbedding embedding = maker.Encode(PixelBuffer.FromRgb24(new byte[96 * 64 * 3], 96, 64));
        WeakReference[] models = [.. Enumerable.Range(0, 20).Select(_ => Use())];
        Managed();
        // What is on this thread's stack may keep the last.
        Assert.InRange(models.Count(model => model.IsAlive), 0, 1);

        [MethodImpl(MethodImplOptions.NoInlining)]
        WeakReference Use()
        {
            SamModel sam = SamModel.Load(ToyModel.Variant, files);
            sam.Predict(embedding, Prompt.Point(40, 30));
            return new WeakReference(sam.Decoder);
        }
    }

    private static void Check(Action cycle)
    {
        // Code that is compiled, and pools, which keep what each new thread of the process has used: that ends, and a leak does not.
        for (int i = 0; i < 30; i++) cycle();
        List<long> grown = [];
        do
        {
            long before = Managed();
            for (int i = 0; i < Cycles; i++) cycle();
            grown.Add((Managed() - before) / Cycles);
        }
        while (grown[^1] >= MostBytesPerCycle && grown.Count < MostRounds);

        TestContext.Current.TestOutputHelper?.WriteLine($"bytes a cycle in rounds of {Cycles}: {string.Join(", ", grown)}");
        Assert.True(grown[^1] < MostBytesPerCycle, $"Memory grows by {string.Join(", then ", grown)} bytes a cycle.");
    }

    private static long Managed()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }
}

/// <summary>Tests that measure the process: nothing else runs meanwhile.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
