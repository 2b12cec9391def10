using SegmentAnything.Checkpoints;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Models;

public sealed class ModelFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Write(string name, params byte[] bytes)
    {
        string path = Path.Combine(_folder.Path, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    [Fact]
    public void FromFolder_FromPaths_FromBuffers_FromStreams_GiveTheSameBytes()
    {
        string encoder = Write("encoder.onnx", 1, 2, 3);
        string decoder = Write("decoder.onnx", 4, 5);
        using var encoderStream = new MemoryStream([9, 1, 2, 3]) { Position = 1 };
        using FileStream decoderStream = File.OpenRead(decoder);
        ModelFiles[] all =
        [
            ModelFiles.FromFolder(_folder.Path, SamModels.MobileSam),
            ModelFiles.FromPaths(encoder, decoder),
            ModelFiles.FromBuffers(new byte[] { 1, 2, 3 }, new byte[] { 4, 5 }),
            ModelFiles.FromStreams(encoderStream, decoderStream),
        ];
        Assert.All(all, files =>
        {
            Assert.Equal([1, 2, 3], files.Read(ModelFileRole.Encoder).ToArray());
            Assert.Equal([4, 5], files.Read(ModelFileRole.Decoder).ToArray());
            using ByteSource source = files.Open(ModelFileRole.Encoder);
            Assert.Equal([2, 3], source.Read(1, 2));
        });
        Assert.Equal(encoder, all[0].FindPath(ModelFileRole.Encoder));
        Assert.Null(all[2].FindPath(ModelFileRole.Encoder));
        Assert.True(decoderStream.CanRead, "The caller's stream was closed.");
    }

    [Fact]
    public void FromCheckpoint_HasThatRoleAlone()
    {
        ModelFiles files = ModelFiles.FromCheckpoint(Write("some.pth", 7));
        Assert.Equal([ModelFileRole.Checkpoint], files.Roles);
        Assert.Equal([7], files.Read(ModelFileRole.Checkpoint).ToArray());
        var e = Assert.Throws<ModelNotFoundException>(() => files.Read(ModelFileRole.Encoder));
        Assert.Contains("image encoder", e.Message, StringComparison.Ordinal);
        Assert.Contains("only checkpoint", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingFiles_AreAllNamed()
    {
        Write("encoder.onnx", 1);
        var e = Assert.Throws<ModelNotFoundException>(() => ModelFiles.FromFolder(_folder.Path, SamModels.MobileSam));
        Assert.Equal([Path.Combine(_folder.Path, "decoder.onnx")], e.Tried);
        Assert.Contains("MobileSAM", e.Message, StringComparison.Ordinal);

        e = Assert.Throws<ModelNotFoundException>(() => ModelFiles.FromPaths("no/e.onnx", "no/d.onnx"));
        Assert.Equal(["no/e.onnx", "no/d.onnx"], e.Tried);
        Assert.Throws<ModelNotFoundException>(() => ModelFiles.FromCheckpoint("no/c.pth"));
    }

    [Fact]
    public void FileThatVanished_IsAClearError()
    {
        string path = Write("some.pth", 7);
        ModelFiles files = ModelFiles.FromCheckpoint(path);
        File.Delete(path);
        var e = Assert.Throws<ModelNotFoundException>(() => files.Read(ModelFileRole.Checkpoint));
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EmptyBuffers_Throw()
    {
        Assert.Throws<ArgumentException>(() => ModelFiles.FromBuffers(default, new byte[1]));
        Assert.Throws<ArgumentException>(() => ModelFiles.FromStreams(new MemoryStream([1]), Stream.Null));
    }
}
