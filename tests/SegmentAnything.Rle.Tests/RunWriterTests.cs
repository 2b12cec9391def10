namespace SegmentAnything.Rle.Tests;

public class RunWriterTests
{
    private const int Seed = 20261127;

    [Fact]
    public void Example_OfTheDocumentation_GivesItsRuns()
    {
        var writer = new RunWriter(height: 4);
        writer.WriteRun(foreground: false, 3);
        writer.WriteRun(foreground: true, 1);
        writer.WritePixels(0b0110, 4);
        RleMask mask = writer.ToMask();
        Assert.Equal((2, 4), (mask.Width, mask.Height));
        Assert.Equal([3, 1, 1, 2, 1], mask.Counts.ToArray());
    }

    [Fact]
    public void ToMask_OfAnyPixelsInAnyPieces_IsTheMaskOfTheBitmap()
    {
        var random = new Random(Seed);
        var writer = new RunWriter(1);
        for (int round = 0; round < 400; round++)
        {
            int width = random.Next(1, 40), height = random.Next(1, 90);
            byte[] pixels = Pixels(random, width * height);
            if (writer.Height == height) writer.Clear();
            else writer = new RunWriter(height);
            Write(writer, pixels, 0, pixels.Length, random);
            Assert.Equal(pixels.Length, writer.Position);
            Assert.True(RleMask.FromColumnMajor(pixels, width, height) == writer.ToMask(), $"round {round}, seed {Seed}");
        }
    }

    [Fact]
    public void Join_OfAnyParts_IsTheMaskOfTheBitmap()
    {
        var random = new Random(Seed);
        for (int round = 0; round < 400; round++)
        {
            int width = random.Next(1, 40), height = random.Next(1, 90), count = random.Next(1, 6);
            byte[] pixels = Pixels(random, width * height);
            int[] cuts = [0, .. Enumerable.Range(0, count - 1).Select(_ => random.Next(pixels.Length + 1)).Order(), pixels.Length];
            RunWriter[] parts = [.. Enumerable.Range(0, count).Select(_ => new RunWriter(height))];
            for (int part = 0; part < count; part++) Write(parts[part], pixels, cuts[part], cuts[part + 1], random);
            RleMask mask = RunWriter.Join(parts);
            Assert.True(RleMask.FromColumnMajor(pixels, width, height) == mask, $"round {round}, seed {Seed}");
            Assert.True(mask == RunWriter.Join(parts), "Joining changes nothing.");
        }
    }

    [Fact]
    public void ToMask_AfterMore_LeavesTheFirstMaskAlone()
    {
        var writer = new RunWriter(2);
        writer.WritePixels(0b10, 2);
        RleMask first = writer.ToMask();
        writer.WritePixels(0b01, 2);
        Assert.Equal([1, 1], first.Counts.ToArray());
        Assert.Equal([1, 2, 1], writer.ToMask().Counts.ToArray());
    }

    [Fact]
    public void Clear_AfterUse_AllocatesTheMaskAlone()
    {
        var writer = new RunWriter(1000);
        long each = long.MaxValue;
        for (int round = 0; round < 20; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            writer.Clear();
            for (int i = 0; i < 1000; i++) writer.WriteRun((i & 1) != 0, 10);
            writer.ToMask();
            each = Math.Min(each, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.InRange(each, 4000, 4000 + 256);
    }

    [Fact]
    public void BadArguments_AreRefusedAndWriteNothing()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new RunWriter(0));
        var writer = new RunWriter(3);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.WriteRun(true, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.WritePixels(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.WritePixels(1, 65));
        Assert.Throws<InvalidOperationException>(() => writer.ToMask());
        writer.WriteRun(false, 4);
        Assert.Contains("1 of 3", Assert.Throws<InvalidOperationException>(() => writer.ToMask()).Message, StringComparison.Ordinal);
        writer.WriteRun(true, int.MaxValue - 4);
        Assert.Contains("at most 2147483647", Assert.Throws<ArgumentOutOfRangeException>(() => writer.WriteRun(true, 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.WritePixels(1, 1));
        Assert.Equal(int.MaxValue, writer.Position);
        Assert.Throws<InvalidOperationException>(() => RunWriter.Join([writer, writer]));
        Assert.Throws<ArgumentException>(() => RunWriter.Join([]));
        Assert.Throws<ArgumentException>(() => RunWriter.Join([writer, null!]));
        Assert.Throws<ArgumentException>(() => RunWriter.Join([null!]));
        Assert.Throws<ArgumentException>(() => RunWriter.Join([new RunWriter(3), new RunWriter(4)]));
    }

    private static byte[] Pixels(Random random, int count)
    {
        byte[] pixels = new byte[count];
        double change = random.NextDouble();
        byte value = (byte)random.Next(2);
        for (int i = 0; i < count; i++)
        {
            if (random.NextDouble() < change) value ^= 1;
            pixels[i] = value;
        }

        return pixels;
    }

    // As stretches, also empty ones and several of one colour, and as words with anything beyond their pixels.
    private static void Write(RunWriter writer, byte[] pixels, int from, int to, Random random)
    {
        while (from < to)
        {
            if (random.Next(4) == 0) writer.WriteRun(random.Next(2) == 0, 0);
            if (random.Next(2) == 0)
            {
                int count = Math.Min(random.Next(1, 65), to - from);
                ulong bits = count == 64 ? 0 : (ulong)random.NextInt64() << count;
                for (int i = 0; i < count; i++) bits |= (ulong)pixels[from + i] << i;
                writer.WritePixels(bits, count);
                from += count;
                continue;
            }

            int length = 1;
            while (from + length < to && pixels[from + length] == pixels[from] && random.Next(30) != 0) length++;
            writer.WriteRun(pixels[from] != 0, length);
            from += length;
        }
    }
}
