using System.IO.Compression;
using System.Text;
using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Checkpoints;

public class CheckpointReaderTests
{
    private static readonly TinyTensor[] Contiguous = [.. TinyCheckpoint.Sample.Where(t => t.Strides is null)];

    public static TheoryData<string> Containers => ["zip", "legacy", "safetensors"];

    [Theory]
    [MemberData(nameof(Containers))]
    public void Open_EveryContainer_GivesEveryTensorAsFloat32(string container)
    {
        using StateDict weights = Open(Write(container, Contiguous));

        Assert.Equal(Contiguous.Select(t => t.Name).Order(), weights.Tensors.Keys.Order());
        foreach (TinyTensor tensor in Contiguous)
        {
            Assert.Equal(tensor.Shape.Select(d => (int)d), weights.ShapeOf(tensor.Name));
            Assert.Equal(tensor.Values, weights.ReadAny(tensor.Name));
        }
    }

    [Theory]
    [MemberData(nameof(Containers))]
    public void Open_FromDisk_EqualsFromMemory(string container)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tiny-{Guid.NewGuid():n}");
        try
        {
            File.WriteAllBytes(path, Write(container, Contiguous));
            using StateDict weights = CheckpointReader.Open(path);
            Assert.Equal(path, weights.Source);
            foreach (TinyTensor tensor in Contiguous) Assert.Equal(tensor.Values, weights.ReadAny(tensor.Name));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("zip")]
    [InlineData("legacy")]
    public void Open_TransposedView_IsReadRowMajor(string container)
    {
        using StateDict weights = Open(Write(container, TinyCheckpoint.Sample));
        Assert.Equal([0, 2, 4, 1, 3, 5], weights.Read("image_encoder.transposed", 2, 3));
    }

    [Fact]
    public void Open_StateDictInsideAnotherDictionary_IsFound()
    {
        byte[] inner = TinyCheckpoint.StateDictPickle(Contiguous, legacy: false)[2..^1];
        byte[] pickle = new PickleWriter().Op('}').Op('(').Text("epoch").Number(7).Text("model").Raw(inner).Op('u').Op('.').ToArray();
        using StateDict weights = Open(TinyCheckpoint.Zip(pickle, Contiguous));
        Assert.Equal(Contiguous.Length, weights.Tensors.Count);
    }

    [Theory]
    [InlineData("module.")]
    [InlineData("sam.model.")]
    public void Open_NamesBehindAPrefix_LoseIt(string prefix)
    {
        using StateDict weights = Open(TinyCheckpoint.Zip(Contiguous.Select(t => t with { Name = prefix + t.Name })));
        Assert.True(weights.Contains("image_encoder.pos_embed"));
    }

    [Fact]
    public void Open_TiedWeights_AreReadUnderBothNames()
    {
        TinyTensor tensor = new("image_encoder.a", "float32", [2], [3, 4]);
        byte[] pickle = new PickleWriter().Op('}').Op('(')
            .Text("image_encoder.a").Tensor("FloatStorage", "0", 2, 0, [2], [1])
            .Text("image_encoder.b").Tensor("FloatStorage", "0", 2, 0, [2], [1])
            .Op('u').Op('.').ToArray();
        using StateDict weights = Open(TinyCheckpoint.Zip(pickle, [tensor]));
        Assert.Equal([3, 4], weights.ReadAny("image_encoder.a"));
        Assert.Equal([3, 4], weights.ReadAny("image_encoder.b"));
    }

    [Fact]
    public void Read_FromEightThreads_IsTheSame()
    {
        using StateDict weights = Open(TinyCheckpoint.Zip(TinyCheckpoint.Sample));
        Parallel.For(0, 1000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            TinyTensor tensor = Contiguous[i % Contiguous.Length];
            Assert.Equal(tensor.Values, weights.ReadAny(tensor.Name));
        });
    }

    [Theory]
    [MemberData(nameof(Containers))]
    public void Open_CutOffAnywhere_IsAClearError(string container)
    {
        byte[] bytes = Write(container, Contiguous);
        for (int length = 0; length < bytes.Length; length++)
        {
            var error = Assert.Throws<CheckpointException>(() => Open(bytes[..length]).Dispose());
            Assert.StartsWith("test: ", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("torch", "load")]
    [InlineData("torch.nn.modules.linear", "Linear")]
    public void Open_PickleThatImportsSomethingElse_NamesItAndExecutesNothing(string module, string name)
    {
        byte[] pickle = new PickleWriter().Global(module, name).Op('(').Text("echo").Op('t').Op('R').Op('.').ToArray();
        var error = Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Zip(pickle, [])));
        Assert.Contains($"'{module}.{name}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ImportFromTheStack_IsRefusedToo()
    {
        byte[] pickle = new PickleWriter().Text("posix").Text("system").Raw(0x93).Op('.').ToArray();
        var error = Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Zip(pickle, [])));
        Assert.Contains("'posix.system'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 3, 1, "ends at byte 12")]            // too long
    [InlineData(1, 2, 1, "ends at byte 12")]            // starts too late
    [InlineData(-1, 2, 1, "negative")]
    [InlineData(0, 2, -1, "negative")]
    [InlineData(0, 2, 0, "overlaps itself")]            // expanded
    [InlineData(0, 4_000_000_000, 1, "impossible shape")]
    [InlineData(long.MaxValue / 2, 2, 1, "impossibly large")]
    [InlineData(0, 2_000_000_000, long.MaxValue / 2, "impossibly large")]
    public void Open_ViewOutsideItsStorage_IsRefused(long offset, long length, long stride, string reason)
    {
        byte[] pickle = new PickleWriter().Op('}').Text("image_encoder.x").Tensor("FloatStorage", "0", 2, offset, [length], [stride]).Op('s').Op('.').ToArray();
        var error = Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Zip(pickle, [new("", "float32", [2], [1, 2])])));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_TensorsThatOverlapInPart_AreRefused()
    {
        byte[] pickle = new PickleWriter().Op('}').Op('(')
            .Text("image_encoder.a").Tensor("FloatStorage", "0", 4, 0, [3], [1])
            .Text("image_encoder.b").Tensor("FloatStorage", "0", 4, 1, [3], [1])
            .Op('u').Op('.').ToArray();
        var error = Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Zip(pickle, [new("", "float32", [4], [1, 2, 3, 4])])));
        Assert.Contains("'image_encoder.a' and 'image_encoder.b' overlap", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_StorageOfAnotherLength_IsRefused()
    {
        byte[] pickle = new PickleWriter().Op('}').Text("image_encoder.x").Tensor("FloatStorage", "0", 1L << 40, 0, [2], [1]).Op('s').Op('.').ToArray();
        Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Zip(pickle, [new("", "float32", [2], [1, 2])])));
    }

    [Fact]
    public void Open_CompressedEntries_AreRefusedBeforeTheyAreUnpacked()
    {
        TinyTensor zeros = new("image_encoder.zeros", "float32", [1 << 20], new float[1 << 20]);
        byte[] bomb = TinyCheckpoint.Zip(TinyCheckpoint.StateDictPickle([zeros], legacy: false), [zeros], CompressionLevel.SmallestSize);
        Assert.True(bomb.Length < 1 << 16);
        var error = Assert.Throws<CheckpointException>(() => Open(bomb));
        Assert.Contains("compressed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PickleNestedTooDeep_IsRefused()
    {
        byte[] pickle = new PickleWriter().Raw([.. Enumerable.Repeat((byte)'(', 1000)]).Op('.').ToArray();
        Assert.Contains("nested", Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Zip(pickle, []))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PickleThatMultipliesItself_IsBounded()
    {
        // One long list, made into a dictionary again and again: a small file that asks for much memory.
        var pickle = new PickleWriter().Op(']').Raw((byte)'q', 0).Op('(');
        for (int i = 0; i < 20_000; i++) pickle.Text($"{i}").Op('N').Raw(0x86);
        pickle.Op('e');
        for (int i = 0; i < 20_000; i++) pickle.Global("collections", "OrderedDict").Raw((byte)'h', 0).Raw(0x85).Op('R');
        long before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Zip(pickle.Op('.').ToArray(), [])));
        Assert.Contains("steps", error.Message, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 500 << 20);
    }

    [Fact]
    public void Read_ZipWhoseValuesWereChanged_FailsItsCheckSum()
    {
        TinyTensor tensor = new("image_encoder.x", "float32", [64], [.. Enumerable.Repeat(1.25f, 64)]);
        byte[] bytes = TinyCheckpoint.Zip([tensor]);
        int at = bytes.AsSpan().IndexOf(tensor.Bytes());
        bytes[at + 17] ^= 1;
        using StateDict weights = Open(bytes);
        Assert.Contains("check sum", Assert.Throws<CheckpointException>(() => weights.ReadAny("image_encoder.x")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 8, "has 4 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "gaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, "follow")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "same name")]
    [InlineData("""{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}""", 8, "'F4'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}}""", 8, "impossibly large")]
    [InlineData("""{"a":{"dtype":"F32","shape":[[[[[[[[[[[2]]]]]]]]]]],"data_offsets":[0,8]}}""", 8, "damaged")]
    [InlineData("""{"a":""", 8, "damaged")]
    public void Open_DamagedSafetensorsHeader_IsAClearError(string header, int dataLength, string reason)
    {
        var error = Assert.Throws<CheckpointException>(() => Open(TinyCheckpoint.Safetensors(header, new byte[dataLength])));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_SomethingElse_SaysWhatItBeginsWith()
    {
        var error = Assert.Throws<CheckpointException>(() => Open(Encoding.ASCII.GetBytes("<!DOCTYPE html><html>")));
        Assert.Contains("3C21444F43545950", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_MissingFile_IsFileNotFound() =>
        Assert.Throws<FileNotFoundException>(() => CheckpointReader.Open(Path.Combine(Path.GetTempPath(), "no-such-checkpoint.pth")));

    [Fact]
    public void Open_GoldenTinyModels_AreTheSameInAllContainers()
    {
        string folder = TestPaths.RequireGolden("tiny", "tiny_b");
        using StateDict zip = CheckpointReader.Open(Path.Combine(folder, "tiny_b.pth"));
        using StateDict legacy = CheckpointReader.Open(Path.Combine(folder, "tiny_b.legacy.pth"));
        using StateDict safetensors = CheckpointReader.Open(Path.Combine(folder, "tiny_b.safetensors"));
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "manifest.json")));
        JsonElement stateDict = manifest.RootElement.GetProperty("state_dict");

        Assert.Equal(stateDict.EnumerateObject().Count(), zip.Tensors.Count);
        foreach (JsonProperty tensor in stateDict.EnumerateObject())
        {
            int[] shape = [.. tensor.Value.EnumerateArray().Select(d => d.GetInt32())];
            float[] values = zip.Read(tensor.Name, shape);
            Assert.Equal(values, legacy.Read(tensor.Name, shape));
            Assert.Equal(values, safetensors.Read(tensor.Name, shape));
        }
    }

    internal static StateDict Open(byte[] bytes) => CheckpointReader.Open(ByteSource.FromMemory("test", bytes));

    internal static byte[] Write(string container, TinyTensor[] tensors) => container switch
    {
        "zip" => TinyCheckpoint.Zip(tensors),
        "legacy" => TinyCheckpoint.Legacy(tensors),
        _ => TinyCheckpoint.Safetensors(tensors),
    };
}
