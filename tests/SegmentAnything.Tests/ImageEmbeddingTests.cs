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
    public void Load_NewerVersion_SaysSo()
    {
        using ImageEmbedding original = Make();
        byte[] saved = Saved(original);
        saved[4] = 2;
        Assert.Contains("version 2", Assert.Throws<InvalidDataException>(() => ImageEmbedding.Load(new MemoryStream(saved))).Message);
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
        return new ImageEmbedding(values, channels, grid, 48, new ImageSize(640, 427), "toy", "0123456789abcdef");
    }
}
