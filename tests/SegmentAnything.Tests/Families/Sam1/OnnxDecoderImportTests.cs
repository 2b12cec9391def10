using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.Tests.Pipeline;

namespace SegmentAnything.Tests.Families.Sam1;

public sealed class OnnxDecoderImportTests
{
    [Theory]
    [InlineData("model.")]
    [InlineData("")]
    [InlineData("wrapper.sam.")]
    public void Read_OfficialLayout_FindsEveryWeight(string prefix)
    {
        StateDict found = OnnxDecoderImport.Read(ToyModel.Decoder(prefix), "toy");
        foreach ((string name, (int[] shape, float[] values)) in ToyModel.Weights())
            Assert.Equal(values, found.Read(name, shape));
    }

    [Fact]
    public void Read_MatrixThroughGemm_IsFoundInBothOrientations()
    {
        foreach (long transposed in new[] { 0L, 1L })
        {
            ModelProto model = ToyModel.Decoder();
            const string layer = "mask_decoder.transformer.layers.0.mlp.lin1";
            NodeProto sum = model.Graph.Node.Single(n => n.Output[0] == layer + "/sum");
            NodeProto product = model.Graph.Node.Single(n => n.Output[0] == layer + "/product");
            TensorProto weight = model.Graph.Initializer.Single(t => t.Name == product.Input[1]);
            if (transposed != 0)
            {
                float[] values = Matrices.Transpose(OnnxFile.ReadFloats(weight, "toy")!, (int)weight.Dims[0], (int)weight.Dims[1]);
                (weight.Dims[0], weight.Dims[1]) = (weight.Dims[1], weight.Dims[0]);
                weight.RawData = ByteString.Empty;
                weight.FloatData.AddRange(values);
            }

            model.Graph.Node.Remove(sum);
            product.OpType = "Gemm";
            product.Input.Add(layer + ".bias");
            product.Attribute.Add(new AttributeProto { Name = "transB", I = transposed });
            Assert.Equal(ToyModel.Weights()[layer + ".weight"].Values, OnnxDecoderImport.Read(model, "toy").ReadAny(layer + ".weight"));
        }
    }

    [Fact]
    public void Read_AnEncoder_IsRefusedWithItsInputs()
    {
        ModelProto encoder = OnnxFile.Parse(ToyModel.Encoder(input: "picture"), "toy");
        string message = Assert.Throws<CheckpointException>(() => OnnxDecoderImport.Read(encoder, "some.onnx")).Message;
        Assert.Contains("some.onnx", message);
        Assert.Contains("picture", message);
        Assert.Contains("image_embeddings", message);
    }

    [Fact]
    public void Read_AnyWeightMissing_IsRefusedByName()
    {
        ModelProto complete = ToyModel.Decoder();
        foreach (TensorProto tensor in complete.Graph.Initializer.ToArray())
        {
            ModelProto model = complete.Clone();
            model.Graph.Initializer.Remove(model.Graph.Initializer.Single(t => t.Name == tensor.Name));
            Assert.Contains("toy", Assert.Throws<CheckpointException>(() => OnnxDecoderImport.Read(model, "toy")).Message);
        }
    }

    [Fact]
    public void Read_WeightOfAnotherShape_IsRefusedWithBothShapes()
    {
        ModelProto model = ToyModel.Decoder();
        TensorProto bias = model.Graph.Initializer.Single(t => t.Name == "mask_decoder.transformer.layers.1.norm3.bias");
        bias.Dims[0] = 16;
        bias.RawData = ByteString.CopyFrom(new byte[64]);
        string message = Assert.Throws<CheckpointException>(() => OnnxDecoderImport.Read(model, "toy")).Message;
        Assert.Contains("norm3.bias", message);
        Assert.Contains("[16]", message);
        Assert.Contains("[32]", message);
    }

    [Fact]
    public void Read_DataThatDoesNotFillTheShape_IsRefused()
    {
        ModelProto model = ToyModel.Decoder();
        TensorProto bias = model.Graph.Initializer.Single(t => t.Name == "mask_decoder.transformer.layers.1.norm3.bias");
        bias.RawData = ByteString.CopyFrom(bias.RawData.Span[..^4]);
        Assert.Contains("31 values", Assert.Throws<CheckpointException>(() => OnnxDecoderImport.Read(model, "toy")).Message);
    }

    [Fact]
    public void Parse_TruncatedAnywhere_IsRefusedOrLacksWeights()
    {
        byte[] bytes = ToyModel.Decoder().ToByteArray();
        for (int length = 0; length < bytes.Length; length += 997)
        {
            Assert.Throws<CheckpointException>(() => OnnxDecoderImport.Read(OnnxFile.Parse(bytes.AsSpan(0, length), "cut"), "cut"));
        }
    }

    [Fact]
    public void Parse_Noise_IsRefused()
    {
        Random random = new(5);
        for (int i = 0; i < 200; i++)
        {
            byte[] bytes = new byte[random.Next(1, 4000)];
            random.NextBytes(bytes);
            Assert.Throws<CheckpointException>(() => OnnxFile.Parse(bytes, "noise"));
        }
    }
}
