using System.Runtime.InteropServices;
using Google.Protobuf;
using SegmentAnything.Families;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Onnx;

/// <summary>ONNX files that are damaged or mean harm: each is the documented exception, which names the file.</summary>
public sealed class HostileOnnxTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Decoder_WithACircle_IsRefused()
    {
        ModelProto model = ToyModel.Decoder();
        model.Graph.Node.Add(new NodeProto { OpType = "Unsqueeze", Name = "a", Input = { "two" }, Output = { "one" } });
        model.Graph.Node.Add(new NodeProto { OpType = "Cast", Name = "b", Input = { "one" }, Output = { "two" } });
        model.Graph.Node.Add(new NodeProto { OpType = "Where", Name = "c", Input = { "one", "x", "y" }, Output = { "z" } });
        CheckpointException e = Assert.Throws<CheckpointException>(() => SamModel.Load(ToyModel.Variant, Files(decoder: model)));
        Assert.Contains("circle", e.Message, StringComparison.Ordinal);
        Assert.Contains("decoder.onnx", e.Message, StringComparison.Ordinal);
        Assert.Contains("circle", ModelInspector.Inspect(Path.Combine(_folder.Path, "decoder.onnx")).Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(-1)]
    [InlineData(3037000500)]
    public void Tensor_OfAnImpossibleShape_IsRefused(long size)
    {
        ModelProto model = ToyModel.Decoder();
        TensorProto tensor = model.Graph.Initializer[0];
        tensor.Dims.Insert(0, size);
        tensor.Dims.Insert(0, size);
        Assert.Contains(tensor.Name, Assert.Throws<CheckpointException>(() => SamModel.Load(ToyModel.Variant, Files(decoder: model))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Node_WithoutItsInputs_IsRefused()
    {
        foreach (string operation in (string[])["Add", "MatMul", "Where", "Softmax", "Conv", "Constant"])
        {
            ModelProto model = ToyModel.Decoder();
            model.Graph.Node.Add(new NodeProto { OpType = operation, Name = "broken" });
            Assert.Contains("broken", Assert.Throws<CheckpointException>(() => OnnxFile.Parse(model.ToByteArray(), "file")).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Weight_ThatIsNotFinite_IsRefusedByItsTensor_InEncoderAndDecoder(float value)
    {
        ModelProto decoder = ToyModel.Decoder(), encoder = ModelProto.Parser.ParseFrom(ToyModel.Encoder());
        TensorProto weight = decoder.Graph.Initializer.First(t => t.Name.EndsWith("linear.bias", StringComparison.Ordinal) || t.Name.EndsWith(".bias", StringComparison.Ordinal));
        Spoil(weight, value);
        Assert.Contains("finite", Assert.Throws<CheckpointException>(() => SamModel.Load(ToyModel.Variant, Files(decoder: decoder))).Message, StringComparison.Ordinal);

        Spoil(encoder.Graph.Initializer.Single(t => t.Name == "mix"), value);
        CheckpointException e = Assert.Throws<CheckpointException>(() => SamModel.Load(ToyModel.Variant, Files(encoder: encoder)));
        Assert.Contains("'mix'", e.Message, StringComparison.Ordinal);
        Assert.Contains("encoder.onnx", e.Message, StringComparison.Ordinal);
        Assert.Contains("'mix'", ModelVerifier.Verify(Path.Combine(_folder.Path, "encoder.onnx"), TestContext.Current.CancellationToken).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Constant_OfZerosAndInfinities_IsWhatAttentionLeavesOut()
    {
        TensorProto mask = new() { Name = "mask", DataType = (int)TensorProto.Types.DataType.Float, Dims = { 2 }, RawData = Bytes(0, float.NegativeInfinity) };
        OnnxFile.CheckFinite(new GraphProto { Initializer = { mask } }, "file");
        mask.RawData = Bytes(0.5f, float.NegativeInfinity);
        Assert.Throws<CheckpointException>(() => OnnxFile.CheckFinite(new GraphProto { Initializer = { mask } }, "file"));
    }

    [Fact]
    public void Encoder_ThatGivesNaN_IsAnError_NotAnEmptyMask()
    {
        GraphBuilder g = new("nan");
        Value x = g.Input("pixels", 1, 3, ToyModel.ImageSize, ToyModel.ImageSize);
        int patch = ToyModel.ImageSize / ToyModel.Grid;
        x = g.Node("AveragePool", [x], ("kernel_shape", new long[] { patch, patch }), ("strides", new long[] { patch, patch }));
        x = g.Node("Conv", [x, g.Constant("mix", Enumerable.Repeat(-1f, ToyModel.Channels * 3).ToArray(), ToyModel.Channels, 3, 1, 1)], ("kernel_shape", new long[] { 1, 1 }));
        g.Output("embedding", g.Node("Sqrt", [x]), 1, ToyModel.Channels, ToyModel.Grid, ToyModel.Grid);
        using SamModel sam = SamModel.Load(ToyModel.Variant, Files(encoder: ModelProto.Parser.ParseFrom(g.ToBytes())));
        byte[] white = Enumerable.Repeat((byte)255, 48 * 48).ToArray();
        Assert.Contains("NaN", Assert.Throws<ModelContractException>(() => sam.Encode(PixelBuffer.FromGray8(white, 48, 48))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decoder_ThatGivesInfinity_IsAnError_NotAnEmptyMask()
    {
        using SamModel sam = ToyModel.Load();
        using ImageEmbedding good = sam.Encode(PixelBuffer.FromGray8(new byte[48 * 48], 48, 48));
        using ImageEmbedding huge = new(
            Enumerable.Repeat(3e38f, good.Values.Length).ToArray(), good.Maps, good.Frame, good.ModelName, good.EncoderFingerprint);
        Assert.Contains("mask decoder", Assert.Throws<ModelContractException>(() => sam.Predict(huge, Prompt.Point(20, 20))).Message, StringComparison.Ordinal);
        Assert.Throws<ModelContractException>(() => sam.Predict(huge, [Prompt.Point(20, 20), Prompt.Box(2, 2, 20, 20)]));
        Assert.Throws<ArgumentException>(() => new ImageEmbedding(
            Enumerable.Repeat(float.NaN, good.Values.Length).ToArray(), good.Maps, good.Frame, good.ModelName, good.EncoderFingerprint));
    }

    [Fact]
    public void Encoder_ThatOnnxRuntimeRefuses_IsTheFilesFault_NotTheProviders()
    {
        ModelProto encoder = ModelProto.Parser.ParseFrom(ToyModel.Encoder());
        encoder.Graph.Node.First(n => n.OpType == "Conv").OpType = "NoSuchOperator";
        ModelContractException e = Assert.Throws<ModelContractException>(() => SamModel.Load(ToyModel.Variant, Files(encoder: encoder)));
        Assert.Contains("encoder.onnx", e.Message, StringComparison.Ordinal);
    }

    private ModelFiles Files(ModelProto? encoder = null, ModelProto? decoder = null)
    {
        string encoderPath = Path.Combine(_folder.Path, "encoder.onnx"), decoderPath = Path.Combine(_folder.Path, "decoder.onnx");
        File.WriteAllBytes(encoderPath, encoder?.ToByteArray() ?? ToyModel.Encoder());
        File.WriteAllBytes(decoderPath, (decoder ?? ToyModel.Decoder()).ToByteArray());
        return ModelFiles.FromPaths(encoderPath, decoderPath);
    }

    private static void Spoil(TensorProto tensor, float value)
    {
        byte[] bytes = tensor.RawData.ToByteArray();
        MemoryMarshal.Write(bytes.AsSpan(bytes.Length - sizeof(float)), value);
        tensor.RawData = ByteString.CopyFrom(bytes);
    }

    private static ByteString Bytes(params float[] values) => ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values));
}
