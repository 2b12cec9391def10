using Google.Protobuf;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests;

/// <summary>Every layout that is recognised, as a small file of our own making.</summary>
public sealed class ModelInspectorTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("zip", "PyTorch checkpoint")]
    [InlineData("legacy", "PyTorch checkpoint (before 1.6)")]
    [InlineData("safetensors", "safetensors")]
    public void Inspect_Checkpoint_TellsItsSizes(string container, string format)
    {
        TinyTensor[] tensors = TinySam.Tensors(TinySam.Weights(seed: 1));
        ModelInspection found = Inspect(Checkpoints.CheckpointReaderTests.Write(container, tensors));

        Assert.Equal((ModelFileKind.Checkpoint, format, true, null), (found.Kind, found.Format, found.CanRun, found.Note));
        Assert.Equal((64, 32, 4, 4), (found.ImageSize, found.EmbeddingChannels, found.EmbeddingGrid, found.Masks));
        Assert.Equal(tensors.Sum(t => t.Values.Length), found.Parameters);
        Assert.Equal(PictureFit.Pad, found.Fit);
        Assert.False(found.NormalisesInside);
    }

    [Theory]
    [InlineData("image_encoder.trunk.body.stem_0.weight", "EdgeTAM")]
    [InlineData("backbone.layer1.weight", null)]
    public void Inspect_CheckpointOfAnotherFamily_SaysWhy(string name, string? family)
    {
        ModelInspection found = Inspect(TinyCheckpoint.Zip([new(name, "float32", [2], [1, 2])]));
        Assert.Equal((ModelFileKind.Checkpoint, family, false), (found.Kind, found.Family, found.CanRun));
        Assert.NotNull(found.Note);
    }

    [Fact]
    public void Inspect_OurEncoder_CanRun()
    {
        ModelInspection found = Inspect(VitEncoderGraph.Build(PlainVit.RandomWeights(TinySam.Layout, seed: 2)).ToBytes());
        Assert.Equal((ModelFileKind.ImageEncoder, "SAM, ViT", true), (found.Kind, found.Family, found.CanRun));
        Assert.Equal((64, 32, 4), (found.ImageSize, found.EmbeddingChannels, found.EmbeddingGrid));
        Assert.Equal("image: float [1, 3, 64, 64]", Assert.Single(found.Inputs).ToString());
        Assert.Empty(found.BatchedInputs);
        Assert.False(found.NormalisesInside);
    }

    [Fact]
    public void Inspect_EncoderThatNormalises_SaysSo()
    {
        var g = new GraphBuilder("encoder");
        Value x = g.Node("Sub", [g.Input("x", "batch", 3, 32, 32), g.Constant("mean", [1, 2, 3], 1, 3, 1, 1)]);
        g.Output("y", g.Node("AveragePool", [x], ("kernel_shape", new long[] { 16, 16 }), ("strides", new long[] { 16, 16 })), "batch", 3, 2, 2);
        ModelInspection found = Inspect(g.ToBytes());
        Assert.Equal((ModelFileKind.ImageEncoder, true, true), (found.Kind, found.CanRun, found.NormalisesInside!.Value));
        Assert.Equal(["x"], found.BatchedInputs);
    }

    [Theory]
    [InlineData(false, true, false, "input_image: float [image_height, image_width, 3]")]
    [InlineData(true, false, true, "input_image: uint8 [1, 3, image_height, image_width]")]
    public void Inspect_EncoderWithPreprocessingInside_TellsItsSizes(bool bytes, bool interleaved, bool batch, string input)
    {
        ModelInspection found = Inspect(OtherExports.EncoderWithPreprocessing(
            TinySam.Weights(seed: 1), bytes ? TensorProto.Types.DataType.Uint8 : TensorProto.Types.DataType.Float, interleaved, batch, dynamic: true));
        Assert.Equal((ModelFileKind.ImageEncoder, "ONNX, image encoder with preprocessing inside", true), (found.Kind, found.Format, found.CanRun));
        Assert.Equal((64, 32, 4), (found.ImageSize, found.EmbeddingChannels, found.EmbeddingGrid));
        Assert.Equal((true, PictureFit.Pad), (found.NormalisesInside!.Value, found.Fit));
        Assert.Equal(input, Assert.Single(found.Inputs).ToString());
    }

    [Fact]
    public void Inspect_HuggingFaceEncoder_TellsItsSizes()
    {
        ModelInspection found = Inspect(OtherExports.HuggingFaceEncoder(TinySam.Weights(seed: 1)));
        Assert.Equal((ModelFileKind.ImageEncoder, "ONNX, Hugging Face export (vision_encoder)", true), (found.Kind, found.Format, found.CanRun));
        Assert.Equal((64, 32, 4), (found.ImageSize, found.EmbeddingChannels, found.EmbeddingGrid));
        Assert.Equal((false, PictureFit.Pad), (found.NormalisesInside!.Value, found.Fit));
        Assert.Equal(["pixel_values"], found.BatchedInputs);
        Assert.Equal(["image_embeddings: float [1, 32, 4, 4]", "image_positional_embeddings: float [batch_size, 32, 4, 4]"], found.Outputs.Select(o => o.ToString()));
    }

    [Fact]
    public void Inspect_HuggingFaceDecoder_TellsThatItTakesPointsAlone()
    {
        ModelInspection found = Inspect(OtherExports.HuggingFaceDecoder(TinySam.Weights(seed: 1)).ToByteArray());
        Assert.Equal((ModelFileKind.MaskDecoder, "ONNX, Hugging Face export (prompt_encoder_mask_decoder)", true), (found.Kind, found.Format, found.CanRun));
        Assert.Equal((32, 4, 4), (found.EmbeddingChannels, found.EmbeddingGrid, found.Masks));
        Assert.Equal(4, found.BatchedInputs.Length);
        Assert.Equal("input_labels: int64 [batch_size, point_batch_size, nb_points_per_image]", found.Inputs[1].ToString());
        Assert.Contains("points alone", found.Note, StringComparison.Ordinal);
    }

    [Fact]
    public void Inspect_HuggingFaceDecoderWithoutWeights_SaysWhatIsMissing()
    {
        ModelInspection found = Inspect(Graph(
            [("input_points", ["batch_size", "point_batch_size", "points", 2]), ("image_embeddings", ["batch_size", 256, 64, 64])],
            [("iou_scores", ["batch_size", "point_batch_size", 3]), ("pred_masks", ["batch_size", "point_batch_size", 3, 256, 256])]));
        Assert.Equal((ModelFileKind.MaskDecoder, false), (found.Kind, found.CanRun));
        Assert.Contains("mask_decoder.iou_token", found.Note, StringComparison.Ordinal);
        Assert.Contains("checkpoint", found.Note, StringComparison.Ordinal);
    }

    [Fact]
    public void Inspect_OfficialDecoder_TellsItsSizes()
    {
        ModelInspection found = Inspect(TinySam.Model(seed: 1).BuildOfficialDecoder().ToBytes());
        Assert.Equal((ModelFileKind.MaskDecoder, "ONNX, official export", true), (found.Kind, found.Format, found.CanRun));
        Assert.Equal((32, 4, 4), (found.EmbeddingChannels, found.EmbeddingGrid, found.Masks));
        Assert.Equal(["point_coords", "point_labels", "mask_input"], found.BatchedInputs);
        Assert.Equal(6, found.Inputs.Length);
        Assert.Equal(["masks", "iou_predictions", "low_res_masks"], found.Outputs.Select(o => o.Name));
    }

    [Theory]
    [InlineData(2, 64, 64, "2 pictures")]
    [InlineData(1, 64, 32, "32x64")]
    public void Inspect_EncoderThatCannotBeFed_SaysWhy(int batch, int height, int width, string reason)
    {
        ModelInspection found = Inspect(Graph([("x", [batch, 3, height, width])], [("y", [1, 32, 4, 4])]));
        Assert.Equal((ModelFileKind.ImageEncoder, false), (found.Kind, found.CanRun));
        Assert.Contains(reason, found.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("batched_images", "EfficientSAM", PictureFit.Squash)]
    public void Inspect_ExportOfAnotherFamily_SaysWhy(string name, string family, PictureFit fit)
    {
        ModelInspection found = Inspect(Graph([(name, [1, 3, 64, 64])], [("out", [1, 32, 16, 16])]));
        Assert.Equal((family, fit, false), (found.Family, found.Fit, found.CanRun));
        Assert.NotNull(found.Note);
    }

    [Fact]
    public void Inspect_OfficialDecoderWithoutItsWeights_SaysWhatIsMissing()
    {
        string[] names = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"];
        ModelInspection found = Inspect(Graph([.. names.Select(n => (n, new Dim[] { 1 }))], [("masks", [1])]));
        Assert.Equal((ModelFileKind.MaskDecoder, "ONNX, official export", false), (found.Kind, found.Format, found.CanRun));
        Assert.Contains("mask_decoder", found.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })]
    public void Inspect_SomethingElse_IsUnknownWithAReason(byte[] bytes)
    {
        ModelInspection found = Inspect(bytes);
        Assert.Equal((ModelFileKind.Unknown, false), (found.Kind, found.CanRun));
        Assert.NotNull(found.Note);
    }

    [Fact]
    public void Inspect_MissingFile_IsFileNotFound() =>
        Assert.Throws<FileNotFoundException>(() => ModelInspector.Inspect(Path.Combine(_folder, "nothing")));

    private ModelInspection Inspect(byte[] bytes)
    {
        string path = Path.Combine(_folder, "model");
        File.WriteAllBytes(path, bytes);
        return ModelInspector.Inspect(path);
    }

    // The contract alone: every output is the first input.
    private static byte[] Graph((string Name, Dim[] Shape)[] inputs, (string Name, Dim[] Shape)[] outputs)
    {
        var g = new GraphBuilder("contract");
        Value[] values = [.. inputs.Select(i => g.Input(i.Name, i.Shape))];
        foreach ((string name, Dim[] shape) in outputs) g.Output(name, values[0], shape);
        return g.ToBytes();
    }
}
