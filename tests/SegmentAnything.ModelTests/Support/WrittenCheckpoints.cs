using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Models;
using SegmentAnything.ModelTests.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests;

/// <summary>Checkpoints that tests write, in PyTorch's container and under the official names.</summary>
internal static class WrittenCheckpoints
{
    /// <summary>MobileSAM, as its authors published it, from the weights in its ONNX files.</summary>
    public static string WriteMobileSam(string folder)
    {
        ModelFiles files = ModelStore.Default.Find(SamModels.MobileSam);
        using StateDict encoder = TinyVitOnnxImport.Read(OnnxFile.Parse(files.Read(ModelFileRole.Encoder).Span, "encoder.onnx"), "encoder.onnx");
        return Write(Path.Combine(folder, "mobile_sam.pt"), [.. Unfold(encoder), .. Decoder()]);
    }

    /// <summary>A ViT of two small blocks and random weights, with MobileSAM's decoder: pictures of 64 pixels.</summary>
    public static string WriteTiny(string folder)
    {
        using var encoder = new RandomVit(new VitLayout(16, 4, 32, 2, 64, 256, [2, 4]));
        return Write(Path.Combine(folder, "tiny.pth"), [.. Tensors(encoder), .. Decoder()]);
    }

    /// <summary>
    /// The encoder as the published checkpoint has it: convolutions without bias, each followed by a batch normalisation.
    /// </summary>
    public static IEnumerable<TinyTensor> Unfold(StateDict weights)
    {
        var random = new Random(4);
        foreach (TensorInfo tensor in weights.Tensors.Values)
        {
            float[] values = weights.ReadAny(tensor.Name);
            long[] shape = [.. tensor.Shape.Select(d => (long)d)];
            if (tensor.Name.EndsWith(".c.bias", StringComparison.Ordinal)) continue;
            if (!tensor.Name.EndsWith(".c.weight", StringComparison.Ordinal))
            {
                yield return new TinyTensor(tensor.Name, "float32", shape, values);
                continue;
            }

            string name = tensor.Name[..^".c.weight".Length];
            float[] folded = weights.ReadAny(name + ".c.bias");
            int outputs = folded.Length, inputs = values.Length / outputs;
            float[] scale = new float[outputs], mean = new float[outputs], variance = new float[outputs], shift = new float[outputs];
            for (int o = 0; o < outputs; o++)
            {
                (scale[o], mean[o], variance[o]) = (0.5f + random.NextSingle(), random.NextSingle() - 0.5f, 0.5f + random.NextSingle());
                double factor = scale[o] / Math.Sqrt(variance[o] + 1e-5);
                shift[o] = (float)(folded[o] + mean[o] * factor);
                for (int i = 0; i < inputs; i++) values[o * inputs + i] = (float)(values[o * inputs + i] / factor);
            }

            yield return new TinyTensor(tensor.Name, "float32", shape, values);
            yield return new TinyTensor(name + ".bn.weight", "float32", [outputs], scale);
            yield return new TinyTensor(name + ".bn.bias", "float32", [outputs], shift);
            yield return new TinyTensor(name + ".bn.running_mean", "float32", [outputs], mean);
            yield return new TinyTensor(name + ".bn.running_var", "float32", [outputs], variance);
        }
    }

    private static TinyTensor[] Decoder()
    {
        using OpenedModel opened = OpenedModel.Open(SamModels.MobileSam, ModelStore.Default.Find(SamModels.MobileSam));
        StateDict weights = opened.Model.Weights;
        return Tensors(weights);
    }

    private static TinyTensor[] Tensors(StateDict weights) =>
        [.. weights.Tensors.Values.Select(t => new TinyTensor(t.Name, "float32", [.. t.Shape.Select(d => (long)d)], weights.ReadAny(t.Name)))];

    private static string Write(string path, TinyTensor[] tensors)
    {
        File.WriteAllBytes(path, TinyCheckpoint.Zip(tensors));
        return path;
    }
}
