using System.Security.Cryptography;
using System.Text;
using CommunityToolkit.HighPerformance.Buffers;

namespace SegmentAnything.Tests;

public sealed class ImageEmbeddingTests
{
    [Fact]
    public void SaveThenLoad_GivesTheSameEmbedding()
    {
        using ImageEmbedding original = Make();
        using ImageEmbedding loaded = ImageEmbedding.Load(new MemoryStream(Saved(original)));
        Assert.True(original.Values.SequenceEqual(loaded.Values));
        Assert.Equal(original.SourceSize, loaded.SourceSize);
        Assert.Equal(original.ModelName, loaded.ModelName);
        Assert.Equal(original.EncoderFingerprint, loaded.EncoderFingerprint);
        Assert.Equal(original.GridSize, loaded.GridSize);
        Assert.Equal(original.ModelSize, loaded.ModelSize);
    }

    [Fact]
    public void Load_ReadsNothingBeyondTheEmbedding()
    {
        using ImageEmbedding original = Make();
        byte[] saved = Saved(original);
        using MemoryStream two = new([.. saved, .. saved]);
        using ImageEmbedding first = ImageEmbedding.Load(two);
        using ImageEmbedding second = ImageEmbedding.Load(two);
        Assert.True(first.Values.SequenceEqual(second.Values));
        Assert.Equal(two.Length, two.Position);
    }

    [Fact]
    public void Load_CutShortAnywhere_IsRefused()
    {
        using ImageEmbedding original = Make();
        byte[] saved = Saved(original);
        for (int length = 0; length < saved.Length; length++)
            Assert.Throws<InvalidDataException>(() => ImageEmbedding.Load(new MemoryStream(saved, 0, length)));
    }

    [Fact]
    public void Load_AnyByteChanged_IsRefused()
    {
        using ImageEmbedding original = Make();
        byte[] saved = Saved(original);
        for (int i = 0; i < saved.Length; i++)
        {
            saved[i] ^= 0x55;
            Assert.Throws<InvalidDataException>(() => ImageEmbedding.Load(new MemoryStream(saved)));
            saved[i] ^= 0x55;
        }
    }

    [Fact]
    public void SaveThenLoad_SeveralMapsOfASquashedImage_GivesTheSame()
    {
        float[] values = [.. Enumerable.Range(0, (2 * 9) + (3 * 36)).Select(i => i / 7f)];
        using ImageEmbedding original = new(
            values, [new FeatureMapShape("embedding", 2, 3), new FeatureMapShape("high_res_1", 3, 6)],
            new ImageFrame(new ImageSize(640, 427), 48, PictureFit.Squash), "toy", "0123456789abcdef");
        using ImageEmbedding loaded = ImageEmbedding.Load(new MemoryStream(Saved(original)));

        Assert.Equal(original.Maps.AsEnumerable(), loaded.Maps.AsEnumerable());
        Assert.Equal(original.Frame, loaded.Frame);
        Assert.Equal(values[..18], loaded.Values.ToArray());
        Assert.Equal(values[18..], loaded.ValuesOf("high_res_1").ToArray());
        Assert.Contains("high_res_1", Assert.Throws<KeyNotFoundException>(() => loaded.ValuesOf("high_res_0").Length).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhatVersion0_1_0Wrote_IsRead()
    {
        using ImageEmbedding expected = Make();
        using MemoryStream stream = new();
        using (BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true))
        {
            foreach (int value in (int[])[0x4D454153, 1, 640, 427, 48, 8, 3]) writer.Write(value);
            foreach (string text in (string[])["toy", "0123456789abcdef"])
            {
                writer.Write(text.Length);
                writer.Write(Encoding.UTF8.GetBytes(text));
            }

            foreach (float value in expected.Values) writer.Write(value);
            writer.Write(SHA256.HashData(stream.ToArray()));
        }

        using ImageEmbedding loaded = ImageEmbedding.Load(new MemoryStream(stream.ToArray()));
        Assert.True(expected.Values.SequenceEqual(loaded.Values));
        Assert.Equal(expected.Frame, loaded.Frame);
        Assert.Equal(expected.Maps.AsEnumerable(), loaded.Maps.AsEnumerable());
        Assert.Equal((expected.ModelName, expected.EncoderFingerprint), (loaded.ModelName, loaded.EncoderFingerprint));
    }

    [Fact]
    public void Make_ValuesThatDoNotFillTheMaps_IsRefused()
    {
        ImageFrame frame = new(new ImageSize(4, 4), 16);
        Assert.Throws<ArgumentException>(() => new ImageEmbedding(new float[17], [new FeatureMapShape("embedding", 2, 3)], frame, "toy", "00"));
        Assert.Throws<ArgumentException>(() => new ImageEmbedding(new float[18], [new FeatureMapShape("other", 2, 3)], frame, "toy", "00"));
    }

    [Fact]
    public void Load_NewerVersion_SaysSo()
    {
        using ImageEmbedding original = Make();
        byte[] saved = Saved(original);
        saved[4] = 3;
        Assert.Contains("version 3", Assert.Throws<InvalidDataException>(() => ImageEmbedding.Load(new MemoryStream(saved))).Message);
    }

    [Fact]
    public void Disposed_CannotBeReadSavedOrUsed()
    {
        ImageEmbedding embedding = Make();
        embedding.Dispose();
        embedding.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _ = embedding.Values.Length);
        Assert.Throws<ObjectDisposedException>(() => embedding.Save(Stream.Null));
        Assert.Throws<ObjectDisposedException>(() => embedding.Acquire());
    }

    private static byte[] Saved(ImageEmbedding embedding)
    {
        using MemoryStream stream = new();
        embedding.Save(stream);
        return stream.ToArray();
    }

    private static ImageEmbedding Make()
    {
        const int channels = 8;
        const int grid = 3;
        MemoryOwner<float> values = MemoryOwner<float>.Allocate(channels * grid * grid);
        Random random = new(7);
        foreach (ref float value in values.Span) value = random.NextSingle();
        return new ImageEmbedding(
            values, [new FeatureMapShape(FeatureMapShape.Embedding, channels, grid)], new ImageFrame(new ImageSize(640, 427), 48), "toy", "0123456789abcdef");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Load_AFewBytesThatClaimMuch_TakeNoMemory(bool tellsItsLength)
    {
        using MemoryStream header = new();
        using (BinaryWriter writer = new(header, System.Text.Encoding.UTF8, leaveOpen: true))
        {
            foreach (int value in (int[])[0x4D454153, 2, 100, 100, 1024, 1, 16]) writer.Write(value);
            for (int i = 0; i < 16; i++)
            {
                writer.Write(1);
                writer.Write((byte)('a' + i));
                writer.Write(16);
                writer.Write(1024);
            }

            foreach (string text in (string[])["m", "f"])
            {
                writer.Write(1);
                writer.Write((byte)text[0]);
            }

            writer.Write(new byte[1000]);
        }

        byte[] bytes = header.ToArray();
        Assert.InRange(bytes.Length, 1, 2000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => ImageEmbedding.Load(tellsItsLength ? new MemoryStream(bytes) : new WithoutLength(bytes)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 << 20);
    }

    private sealed class WithoutLength(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();
    }
}
