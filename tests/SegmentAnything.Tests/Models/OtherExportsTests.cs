using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.TestSupport;
using DataType = SegmentAnything.Onnx.TensorProto.Types.DataType;

namespace SegmentAnything.Tests.Models;

/// <summary>Models as other exporters leave them, against the checkpoint of the same weights.</summary>
public sealed class OtherExportsTests : IDisposable
{
    private const float Tolerance = 1e-4f;

    private readonly TemporaryFolder _folder = new();
    private readonly InMemoryStateDict _weights = TinySam.Weights(seed: 21);
    private readonly SamModel _direct;

    public OtherExportsTests()
    {
        string checkpoint = Path.Combine(_folder.Path, "tiny.pth");
        File.WriteAllBytes(checkpoint, TinyCheckpoint.Zip(TinySam.Tensors(_weights)));
        _direct = SamModel.Load(checkpoint);
    }

    public void Dispose()
    {
        _direct.Dispose();
        _folder.Dispose();
    }

    // Bytes pad with the mean rounded: up to 0.01 where zero is meant, in a network whose weights are large and whose
    // output is normalised to one.
    [Theory]
    [InlineData(false, true, false, true, Tolerance)]
    [InlineData(false, true, false, false, Tolerance)]
    [InlineData(false, true, true, false, Tolerance)]
    [InlineData(false, false, false, true, Tolerance)]
    [InlineData(false, false, true, true, Tolerance)]
    [InlineData(true, true, false, true, 0.05f)]
    [InlineData(true, true, true, false, 0.05f)]
    [InlineData(true, false, true, false, 0.05f)]
    [InlineData(true, false, false, false, 0.05f)]
    public void Encode_PreprocessingInside_GivesTheSameEmbedding(bool bytes, bool interleaved, bool batch, bool dynamic, float tolerance)
    {
        byte[] encoder = OtherExports.EncoderWithPreprocessing(_weights, bytes ? DataType.Uint8 : DataType.Float, interleaved, batch, dynamic);
        using SamModel sam = LoadFolder("encoder.onnx", encoder, "decoder.onnx", OfficialDecoder());

        foreach ((int width, int height) in new[] { (40, 30), (30, 70), (64, 64) })
        {
            double difference = Difference(Encode(sam, width, height), Encode(_direct, width, height));
            Assert.True(difference <= (width == height ? Tolerance : tolerance), $"{width}x{height}: {difference}");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Encode_EncoderThatExpectsUnitRange_GivesTheSameEmbedding(bool interleaved)
    {
        byte[] encoder = OtherExports.EncoderWithPreprocessing(_weights, DataType.Float, interleaved, batch: true, dynamic: false, unitRange: true);
        using SamModel sam = LoadFolder("encoder.onnx", encoder, "decoder.onnx", OfficialDecoder());
        Assert.True(Difference(Encode(sam, 40, 30), Encode(_direct, 40, 30)) <= Tolerance);
    }

    [Fact]
    public void Load_OfficialDecoder_PredictsTheSameForEveryPrompt()
    {
        using SamModel sam = LoadFolder("encoder.onnx", VitEncoderGraph.Build(_weights).ToBytes(), "decoder.onnx", OfficialDecoder());
        Compare(sam, MaskSelection.All, Prompt.Point(20, 15), Prompt.Box(3, 4, 30, 25).AndPoint(9, 9, foreground: false), Prompt.Point(5, 5).AndMask(RoughMask()), Prompt.Mask(RoughMask()));
    }

    [Fact]
    public void OfficialDecoder_InOnnxRuntime_GivesOurAnswers()
    {
        using ImageEmbedding embedding = Encode(_direct, 40, 30);
        Prompt prompt = Prompt.Point(20, 15).AndMask(RoughMask());
        MaskPrediction expected = _direct.Predict(embedding, prompt, MaskSelection.All);
        const float scale = 64 / 40f;

        using var session = new InferenceSession(OfficialDecoder());
        using IDisposableReadOnlyCollection<OrtValue> outputs = Run(session,
            ("image_embeddings", Value(embedding.Values.ToArray(), 1, 32, 4, 4)),
            ("point_coords", Value([20 * scale, 15 * scale, 0, 0], 1, 2, 2)),
            ("point_labels", Value([1f, -1], 1, 2)),
            ("mask_input", Value(RoughMask(), 1, 1, 16, 16)),
            ("has_mask_input", Value([1f], 1)),
            ("orig_im_size", Value([30f, 40], 2)));

        Assert.Equal([1, 4, 30, 40], outputs[0].GetTensorTypeAndShape().Shape);
        foreach (PredictedMask mask in expected)
        {
            ReadOnlySpan<float> logits = outputs[2].GetTensorDataAsSpan<float>().Slice(mask.MaskToken * 256, 256);
            Assert.True(Difference(logits, mask.LowResLogits.Span) <= Tolerance * 10);
            Assert.Equal(mask.PredictedIou, outputs[1].GetTensorDataAsSpan<float>()[mask.MaskToken], 1e-3);
            int differing = 0;
            for (int y = 0; y < 30; y++)
            {
                for (int x = 0; x < 40; x++)
                {
                    if (outputs[0].GetTensorDataAsSpan<float>()[(mask.MaskToken * 1200) + (y * 40) + x] > 0 != mask.Mask[x, y]) differing++;
                }
            }

            Assert.InRange(differing, 0, 1);
        }
    }

    [Fact]
    public void Load_HuggingFaceFolder_PredictsTheSameForPoints()
    {
        using SamModel sam = HuggingFace();
        Compare(sam, MaskSelection.All, Prompt.Point(20, 15), Prompt.Point(5, 5).AndPoint(30, 20, foreground: false), Prompt.Point(1, 2));
        using ImageEmbedding embedding = Encode(sam, 40, 30);
        Assert.Equal(3, sam.Predict(embedding, Prompt.Point(20, 15)).Count);
        Assert.Single(sam.Predict(embedding, Prompt.Point(20, 15).AndPoint(2, 2)));
    }

    [Fact]
    public void HuggingFaceDecoder_InOnnxRuntime_GivesOurAnswers()
    {
        using SamModel sam = HuggingFace();
        using ImageEmbedding embedding = Encode(sam, 40, 30);
        Prompt[] prompts = [Prompt.Point(20, 15), Prompt.Point(5, 9, foreground: false)];
        MaskPrediction[] expected = sam.Predict(embedding, prompts, MaskSelection.Multiple);
        const float scale = 64 / 40f;

        using var session = new InferenceSession(OtherExports.HuggingFaceDecoder(_weights).ToByteArray());
        float[] positions = Matrices.Transpose(PositionalEncoding.OfGrid(_weights, 4), 16, 32);
        using IDisposableReadOnlyCollection<OrtValue> outputs = Run(session,
            ("input_points", Value([20 * scale, 15 * scale, 5 * scale, 9 * scale], 1, 2, 1, 2)),
            ("input_labels", Value([1L, 0], 1, 2, 1)),
            ("image_embeddings", Value(embedding.Values.ToArray(), 1, 32, 4, 4)),
            ("image_positional_embeddings", Value(positions, 1, 32, 4, 4)));

        for (int p = 0; p < 2; p++)
        {
            foreach (PredictedMask mask in expected[p])
            {
                int index = (3 * p) + mask.MaskToken - 1;
                Assert.Equal(mask.PredictedIou, outputs[0].GetTensorDataAsSpan<float>()[index], 1e-3);
                Assert.True(Difference(outputs[1].GetTensorDataAsSpan<float>().Slice(index * 256, 256), mask.LowResLogits.Span) <= Tolerance * 10);
            }
        }
    }

    [Fact]
    public void Predict_HuggingFaceModelWithABoxOrAMask_SaysWhatTheFileLacks()
    {
        using SamModel sam = HuggingFace();
        using ImageEmbedding embedding = Encode(sam, 40, 30);
        Assert.Contains("the corners of boxes", Assert.Throws<ModelContractException>(() => sam.Predict(embedding, Prompt.Box(1, 1, 20, 20))).Message, StringComparison.Ordinal);
        string message = Assert.Throws<ModelContractException>(() => sam.Predict(embedding, Prompt.Point(4, 4).AndMask(RoughMask()))).Message;
        Assert.Contains("mask prompts", message, StringComparison.Ordinal);
        Assert.Contains("checkpoint", message, StringComparison.Ordinal);
    }

    [Fact]
    public void GenerateMasks_HuggingFaceModel_FindsWhatTheCheckpointFinds()
    {
        using SamModel sam = HuggingFace();
        AutomaticMaskOptions options = new() { PointsPerSide = 4, PredIouThreshold = -100, StabilityScoreThreshold = 0 };
        Assert.Equal(_direct.GenerateMasks(Picture(40, 30), options).Select(m => m.Area), sam.GenerateMasks(Picture(40, 30), options).Select(m => m.Area));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Read_HuggingFaceDecoderInFloat16_IsWithinItsPrecision(bool raw)
    {
        ModelProto model = OtherExports.HuggingFaceDecoder(_weights);
        foreach (TensorProto tensor in model.Graph.Initializer.Where(t => t.DataType == (int)DataType.Float))
        {
            float[] values = OnnxFile.ReadFloats(tensor, "test")!;
            tensor.DataType = (int)DataType.Float16;
            tensor.RawData = raw ? ByteString.CopyFrom([.. values.SelectMany(v => BitConverter.GetBytes((Half)v))]) : ByteString.Empty;
            if (!raw) tensor.Int32Data.AddRange(values.Select(v => (int)BitConverter.HalfToUInt16Bits((Half)v)));
        }

        using StateDict found = OnnxDecoderImport.Read(model, "half");
        foreach (TensorInfo tensor in found.Tensors.Values)
            Assert.All(found.ReadAny(tensor.Name).Zip(_weights.ReadAny(tensor.Name)), pair => Assert.Equal((float)(Half)pair.Second, pair.First));
    }

    [Fact]
    public void Read_HuggingFaceDecoderThatIsQuantised_SaysSo()
    {
        ModelProto model = OtherExports.HuggingFaceDecoder(_weights);
        TensorProto matrix = model.Graph.Initializer.First(t => t.Dims.Count == 2 && t.Name.StartsWith("onnx::MatMul", StringComparison.Ordinal));
        matrix.DataType = (int)DataType.Uint8;
        Assert.Contains("quantised", Assert.Throws<CheckpointException>(() => OnnxDecoderImport.Read(model, "small")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_HuggingFaceDecoderWithoutAnyOneWeight_IsRefused()
    {
        ModelProto complete = OtherExports.HuggingFaceDecoder(_weights);
        HashSet<string> read = [.. complete.Graph.Initializer.Where(t => t.DataType == (int)DataType.Float && t.Dims.Count > 0).Select(t => t.Name)];
        Assert.True(read.Count > 100);
        foreach (string name in read)
        {
            ModelProto model = complete.Clone();
            model.Graph.Initializer.Remove(model.Graph.Initializer.Single(t => t.Name == name));
            Exception? error = Record.Exception(() => OnnxDecoderImport.Read(model, "damaged"));
            Assert.True(error is CheckpointException, $"without '{name}': {error?.ToString() ?? "accepted"}");
        }
    }

    [Theory]
    [InlineData(2, 3, 64, 64)]
    [InlineData(1, 3, 64, 32)]
    [InlineData(1, 1, 64, 64)]
    public void Load_EncoderThatCannotBeFed_IsRefusedWithItsShape(int batch, int channels, int height, int width)
    {
        var g = new GraphBuilder("encoder");
        Value x = g.Input("x", batch, channels, height, width);
        g.Output("y", g.Node("AveragePool", [x], ("kernel_shape", new long[] { 16, 16 }), ("strides", new long[] { 16, 16 })), 1, 32, 4, 4);
        var error = Assert.Throws<ModelContractException>(() => LoadFolder("encoder.onnx", g.ToBytes(), "decoder.onnx", OfficialDecoder()));
        Assert.Contains("'x'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sam_vit_b_01ec64.encoder.onnx", "sam_vit_b_01ec64.decoder.onnx")]
    [InlineData("second.onnx", "first.onnx")]
    public void Load_NamesOfSamexporterOrNone_WithDataBeside_PredictsTheSame(string encoderName, string decoderName)
    {
        byte[] encoder = OtherExports.EncoderWithPreprocessing(_weights, DataType.Float, interleaved: true, batch: false, dynamic: true);
        string folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "beside")).FullName;
        File.WriteAllBytes(Path.Combine(folder, encoderName), encoder);
        Sam2OtherExports.WriteWithDataBeside(Sam2OtherExports.Reversed(ModelProto.Parser.ParseFrom(OfficialDecoder())), Path.Combine(folder, decoderName), "weights.data");
        using SamModel sam = SamModel.Load(folder);
        Compare(sam, MaskSelection.All, Prompt.Point(20, 15), Prompt.Box(3, 4, 30, 25).AndPoint(9, 9, foreground: false), Prompt.Point(5, 5).AndMask(RoughMask()));
        File.Delete(Path.Combine(folder, "weights.data"));
        Assert.Contains("weights.data", Assert.Throws<CheckpointException>(() => SamModel.Load(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FolderWithoutTheDecoder_NamesIt()
    {
        File.WriteAllBytes(Path.Combine(_folder.Path, "vision_encoder.onnx"), OtherExports.HuggingFaceEncoder(_weights));
        var error = Assert.Throws<ModelNotFoundException>(() => SamModel.Load(_folder.Path));
        Assert.Contains("prompt_encoder_mask_decoder.onnx", error.Message, StringComparison.Ordinal);
    }

    private byte[] OfficialDecoder() => OfficialDecoderGraph.Build(_weights, RandomDecoder.LayoutOf(_weights), TinySam.Layout.Grid, TinySam.Layout.ImageSize).ToBytes();

    private SamModel HuggingFace() => LoadFolder(
        "vision_encoder.onnx", OtherExports.HuggingFaceEncoder(_weights),
        "prompt_encoder_mask_decoder.onnx", OtherExports.HuggingFaceDecoder(_weights).ToByteArray());

    private SamModel LoadFolder(string encoderName, byte[] encoder, string decoderName, byte[] decoder)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "export")).FullName;
        File.WriteAllBytes(Path.Combine(folder, encoderName), encoder);
        File.WriteAllBytes(Path.Combine(folder, decoderName), decoder);
        return SamModel.Load(folder);
    }

    private void Compare(SamModel sam, MaskSelection selection, params Prompt[] prompts)
    {
        using ImageEmbedding expectedEmbedding = Encode(_direct, 40, 30), foundEmbedding = Encode(sam, 40, 30);
        Assert.True(Difference(foundEmbedding.Values, expectedEmbedding.Values) <= Tolerance);
        MaskPrediction[] expected = _direct.Predict(expectedEmbedding, prompts, selection), found = sam.Predict(foundEmbedding, prompts, selection);
        foreach ((MaskPrediction first, MaskPrediction second) in expected.Zip(found))
        {
            Assert.Equal(first.Count, second.Count);
            foreach (PredictedMask mask in first)
            {
                PredictedMask other = second.Single(m => m.MaskToken == mask.MaskToken);
                Assert.Equal(mask.PredictedIou, other.PredictedIou, 1e-3);
                Assert.True(Difference(mask.LowResLogits.Span, other.LowResLogits.Span) <= Tolerance * 10);
            }
        }
    }

    private static IDisposableReadOnlyCollection<OrtValue> Run(InferenceSession session, params (string Name, OrtValue Value)[] inputs)
    {
        using var options = new RunOptions();
        try
        {
            return session.Run(options, [.. inputs.Select(i => i.Name)], [.. inputs.Select(i => i.Value)], session.OutputNames);
        }
        finally
        {
            foreach ((_, OrtValue value) in inputs) value.Dispose();
        }
    }

    private static OrtValue Value<T>(T[] values, params long[] shape)
        where T : unmanaged => OrtValue.CreateTensorValueFromMemory(values, shape);

    private static float[] RoughMask() => [.. Enumerable.Range(0, 256).Select(i => MathF.Sin(i) * 8)];

    private static ImageEmbedding Encode(SamModel sam, int width, int height) => sam.Encode(Picture(width, height));

    private static PixelBuffer Picture(int width, int height)
    {
        byte[] pixels = new byte[width * height * 3];
        new Random(4).NextBytes(pixels);
        return PixelBuffer.FromRgb24(pixels, width, height);
    }

    private static double Difference(ImageEmbedding found, ImageEmbedding expected)
    {
        using (found)
        using (expected)
            return Difference(found.Values, expected.Values);
    }

    private static double Difference(ReadOnlySpan<float> found, ReadOnlySpan<float> expected) => ReferenceFile.MaxDifference(found, expected);
}
