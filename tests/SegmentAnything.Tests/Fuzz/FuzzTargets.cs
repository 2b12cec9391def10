using System.Security.Cryptography;
using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Families;
using SegmentAnything.Imaging;
using SegmentAnything.Imaging.Vips;
using SegmentAnything.Onnx;
using SegmentAnything.TestSupport;
using SegmentAnything.TestSupport.Fuzzing;

namespace SegmentAnything.Tests.Fuzz;

/// <summary>
/// Every reader of files from elsewhere that this project tests. A new one is a line in <see cref="All"/>; those of other test
/// projects (run lengths, annotations) have a list of the same kind there, and the same driver.
/// </summary>
internal static class FuzzTargets
{
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("checkpoint", Checkpoints, ReadCheckpoint, e => e is CheckpointException) { Mutate = (file, random) => Mutator.Mutate(file, random, "()tRQcqh.b}]uesX0N"u8) },
        new("onnx", OnnxFiles, ReadOnnx, e => e is CheckpointException or ModelContractException) { Mutate = MutateOnnx },
        new("onnx-run", OnnxFiles, RunOnnx, e => e is CheckpointException or ModelContractException) { Mutate = MutateOnnx },
        new("embedding", Embeddings, ReadEmbedding, e => e is InvalidDataException) { Mutate = MutateEmbedding, AllocationLimit = 4 << 20 },
        new("image", Images, file => ImageFile.Load(file, SmallImages), e => e is ImageFileException) { AllocationLimit = 48 << 20 },
    ];

    private static ImageReadOptions SmallImages { get; } = new() { MaxPixels = 4_000_000 };

    private static byte[][] Checkpoints() =>
    [
        TinyCheckpoint.Zip(TinyCheckpoint.Sample), TinyCheckpoint.Legacy(TinyCheckpoint.Sample),
        TinyCheckpoint.Safetensors([.. TinyCheckpoint.Sample.Where(t => t.Strides is null)]),
    ];

    private static void ReadCheckpoint(byte[] file)
    {
        using StateDict weights = CheckpointReader.Open(ByteSource.FromMemory("fuzz", file));
        foreach (string name in weights.Tensors.Keys) weights.ReadAny(name);
        _ = ModelFamilies.RelativeOf(weights);
    }

    private static byte[][] OnnxFiles() => [ToyModel.Decoder().ToByteArray(), ToyModel.Encoder(), ToyModel.Encoder(normalises: true)];

    private static bool IsDecoder(ModelProto model) => model.Graph.Input.Any(i => i.Name.StartsWith("point_", StringComparison.Ordinal));

    private static void ReadOnnx(byte[] file)
    {
        ModelProto model = OnnxFile.Parse(file, "fuzz");
        OnnxFile.CheckFinite(model.Graph, "fuzz");
        if (IsDecoder(model)) ModelFamilies.RecogniseOnnxDecoder(model, ToyModel.Variant, "fuzz").Weights.Dispose();
        else _ = EncoderContract.Of(model.Graph, "fuzz");
        ModelFamilies.ReadOnnxEncoder(model, ToyModel.Variant, "fuzz")?.Weights.Dispose();
        // What is nothing known is told, and no exception.
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "fuzz.onnx");
        File.WriteAllBytes(path, file);
        _ = ModelInspector.Inspect(path);
    }

    // As an application does it: loaded, and one click.
    private static void RunOnnx(byte[] file)
    {
        bool decoder = IsDecoder(OnnxFile.Parse(file, "fuzz"));
        using SamModel sam = SamModel.Load(ToyModel.Variant, ModelFiles.FromBuffers(decoder ? ToyModel.Encoder() : file, decoder ? file : ToyModel.Decoder().ToByteArray()));
        using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromGray8(new byte[48 * 48], 48, 48));
        _ = sam.Predict(embedding, Prompt.Point(20, 20));
    }

    // Bytes at random hit weights, which are nearly all of a file: half of the changes are to the graph.
    private static byte[] MutateOnnx(byte[] file, Random random)
    {
        if (random.Next(4) == 0) return Mutator.Mutate(file, random);
        ModelProto model = ModelProto.Parser.ParseFrom(file);
        GraphProto graph = model.Graph;
        long[] sizes = [0, 1, -1, 2, int.MaxValue, long.MaxValue, long.MinValue, 3037000500];
        for (int n = random.Next(1, 4); n > 0; n--)
        {
            NodeProto node = graph.Node[random.Next(graph.Node.Count)];
            TensorProto? tensor = graph.Initializer.Count == 0 ? null : graph.Initializer[random.Next(graph.Initializer.Count)];
            switch (random.Next(12))
            {
                case 0 when node.Input.Count > 0: node.Input[random.Next(node.Input.Count)] = AnyName(); break;
                case 1 when node.Output.Count > 0: node.Output[random.Next(node.Output.Count)] = AnyName(); break;
                case 2 when node.Input.Count > 0: node.Input.RemoveAt(random.Next(node.Input.Count)); break;
                case 3: node.Input.Add(AnyName()); break;
                case 4 when graph.Node.Count > 1: graph.Node.Remove(node); break;
                case 5: graph.Node.Insert(random.Next(graph.Node.Count), node.Clone()); break;
                case 6: node.OpType = graph.Node[random.Next(graph.Node.Count)].OpType; break;
                case 7 when tensor is { Dims.Count: > 0 }: tensor.Dims[random.Next(tensor.Dims.Count)] = sizes[random.Next(sizes.Length)]; break;
                case 8 when tensor is not null: tensor.Dims.Add(sizes[random.Next(sizes.Length)]); break;
                case 9 when tensor is not null: tensor.DataType = random.Next(24); break;
                case 10 when tensor is not null: tensor.Name = AnyName(); break;
                case 11 when graph.Input.Count > 0 && graph.Input[0].Type?.TensorType?.Shape?.Dim is [_, ..] dims: dims[random.Next(dims.Count)].DimValue = sizes[random.Next(sizes.Length)]; break;
            }
        }

        return model.ToByteArray();

        string AnyName()
        {
            NodeProto other = graph.Node[random.Next(graph.Node.Count)];
            return random.Next(4) switch
            {
                0 when other.Input.Count > 0 => other.Input[random.Next(other.Input.Count)],
                1 when graph.Initializer.Count > 0 => graph.Initializer[random.Next(graph.Initializer.Count)].Name,
                2 => "",
                _ when other.Output.Count > 0 => other.Output[random.Next(other.Output.Count)],
                _ => "x",
            };
        }
    }

    private static byte[][] Embeddings()
    {
        FeatureMapShape[] maps = [new(FeatureMapShape.Embedding, 3, 4), new("high_res_0", 2, 8)];
        using ImageEmbedding embedding = new(new float[maps.Sum(m => m.Length)], maps, new ImageFrame(new ImageSize(20, 10), 64), "toy", new string('a', 64));
        using MemoryStream saved = new();
        embedding.Save(saved);
        return [saved.ToArray()];
    }

    // Half of the time the hash is made right again, so that what it protects is looked at, too.
    private static byte[] MutateEmbedding(byte[] file, Random random)
    {
        byte[] mutated = Mutator.Mutate(file, random);
        if (random.Next(2) == 0 && mutated.Length > SHA256.HashSizeInBytes)
            SHA256.HashData(mutated.AsSpan(0, mutated.Length - SHA256.HashSizeInBytes), mutated.AsSpan(mutated.Length - SHA256.HashSizeInBytes));
        return mutated;
    }

    private static void ReadEmbedding(byte[] file)
    {
        ImageEmbedding.Load(new MemoryStream(file)).Dispose();
        ImageEmbedding.Load(new EndlessHeader(file)).Dispose();
    }

    private static byte[][] Images()
    {
        const int width = 61, height = 43;
        byte[] pixels = new byte[width * height * 3];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)((i * 7) ^ (i / 183));
        using VipsImage image = VipsImage.FromMemory<byte>(pixels, width, height, 3, VipsImage.FormatUChar);
        using VipsOperation copy = new VipsOperation("copy").Set("in", image).Set("interpretation", "srgb");
        using VipsImage tagged = copy.RunForImage();
        return [.. new[] { "pngsave_buffer", "jpegsave_buffer", "webpsave_buffer", "tiffsave_buffer", "gifsave_buffer" }.Where(VipsOperation.Exists).Select(saver =>
        {
            using VipsOperation save = new VipsOperation(saver).Set("in", tagged);
            return save.RunForBytes();
        })];
    }

    /// <summary>A stream that does not tell its length.</summary>
    private sealed class EndlessHeader(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
