using System.Buffers.Binary;
using System.Diagnostics;
using SegmentAnything.Checkpoints;
using SegmentAnything.TestSupport;

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
            byte[] mutated = Mutate(original, random);
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

    private static byte[] Mutate(byte[] original, Random random)
    {
        List<byte> bytes = [.. original];
        for (int n = random.Next(1, 4); n > 0; n--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(8))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(random.Next(bytes.Count), bytes[at..(at + length)]); break;
                case 4 when random.Next(4) == 0: bytes.RemoveRange(at, bytes.Count - at); break;
                case 5: Overwrite(at, 4, random.Next(3) switch { 0 => uint.MaxValue, 1 => 0x7FFFFFFF, _ => (ulong)random.Next(original.Length) }); break;
                case 6: Overwrite(at, 8, random.Next(3) switch { 0 => ulong.MaxValue, 1 => long.MaxValue, _ => (ulong)random.Next(original.Length) }); break;
                default: bytes[at] = "()tRQcqh.b}]uesX0N"u8[random.Next(18)]; break;
            }

            if (bytes.Count == 0) break;
        }

        return [.. bytes];

        void Overwrite(int at, int size, ulong value)
        {
            Span<byte> little = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(little, value);
            for (int i = 0; i < size && at + i < bytes.Count; i++) bytes[at + i] = little[i];
        }
    }
}
