using System.Diagnostics;
using SegmentAnything.Checkpoints;
using SegmentAnything.TestSupport;
using SegmentAnything.TestSupport.Fuzzing;

namespace SegmentAnything.Tests.Checkpoints;

/// <summary>Changes small checkpoints at random: each must be read, or refused with a <see cref="CheckpointException"/>.</summary>
public class CheckpointFuzzTests
{
    private const int MutationsPerContainer = 10_000;

    [Theory]
    [InlineData("zip", 1)]
    [InlineData("legacy", 2)]
    [InlineData("safetensors", 3)]
    public void Open_MutatedCheckpoint_IsReadOrRefused(string container, int seed)
    {
        TinyTensor[] tensors = [.. TinyCheckpoint.Sample.Where(t => container != "safetensors" || t.Strides is null)];
        (int read, int refused) = Fuzz(CheckpointReaderTests.Write(container, tensors), seed, MutationsPerContainer);

        // Both happen, so the mutations are neither all harmless nor all fatal.
        Assert.True(read > MutationsPerContainer / 100, $"{read} of {MutationsPerContainer} were read");
        Assert.True(refused > MutationsPerContainer / 100, $"{refused} of {MutationsPerContainer} were refused");
    }

    [Theory]
    [InlineData("tiny_b.pth", 4)]
    [InlineData("tiny_b.legacy.pth", 5)]
    [InlineData("tiny_b.safetensors", 6)]
    public void Open_MutatedGoldenCheckpoint_IsReadOrRefused(string file, int seed)
    {
        byte[] bytes = File.ReadAllBytes(TestPaths.RequireGolden("tiny", "tiny_b", file));
        (int read, int refused) = Fuzz(bytes, seed, 1000);
        Assert.True(read > 0 && refused > 0, $"{read} read, {refused} refused");
    }

    private static (int Read, int Refused) Fuzz(byte[] original, int seed, int count)
    {
        var random = new Random(seed);
        int read = 0, refused = 0;
        for (int i = 0; i < count; i++)
        {
            byte[] mutated = Mutator.Mutate(original, random, "()tRQcqh.b}]uesX0N"u8);
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            long started = Stopwatch.GetTimestamp();
            string context = $"seed {seed}, mutation {i}";
            try
            {
                using StateDict weights = CheckpointReader.Open(ByteSource.FromMemory("fuzz", mutated));
                foreach (string name in weights.Tensors.Keys) weights.ReadAny(name);
                read++;
            }
            catch (CheckpointException e)
            {
                Assert.True(e.Message.Length < 4000, context);
                refused++;
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"{context}: {e}");
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            Assert.True(allocated < 20L * original.Length + (8 << 20), $"{context}: {allocated} bytes were allocated for a file of {mutated.Length}");
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10), $"{context}: took {Stopwatch.GetElapsedTime(started)}");
        }

        return (read, refused);
    }
}
