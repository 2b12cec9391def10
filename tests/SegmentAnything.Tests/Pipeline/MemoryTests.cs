using System.Runtime.CompilerServices;

namespace SegmentAnything.Tests.Pipeline;

/// <summary>What is disposed leaves nothing behind: a process that loads and drops models for days stays as large as it was.</summary>
[Collection(AloneCollection.Name)]
public sealed class MemoryTests
{
    private const int Cycles = 100;

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
        // Pools, and code that is compiled.
        for (int i = 0; i < 30; i++) cycle();
        long before = Managed();
        for (int i = 0; i < Cycles; i++) cycle();
        long grown = Managed() - before;
        TestContext.Current.TestOutputHelper?.WriteLine($"{grown / Cycles} bytes a cycle");
        Assert.True(grown < MostBytesPerCycle * Cycles, $"{grown} bytes more after {Cycles} cycles");
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
