using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Onnx;
using SegmentAnything.Tests.Fakes;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

/// <summary>SAM 2 in other exporters' files, against the official code's numbers.</summary>
public sealed class Sam2ExportsTests : IDisposable
{
    private const double LogitTolerance = 2e-3;
    private const double ScoreTolerance = 5e-5;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Folders => [.. Sam2Golden.Folders];

    // A model, whether Hugging Face's layout, whether that pads points, whether inputs are reversed, data beside.
    public static TheoryData<string, bool, bool, bool, bool> Layouts
    {
        get
        {
            TheoryData<string, bool, bool, bool, bool> data = [];
            foreach (string folder in Sam2Golden.Folders)
            {
                data.Add(folder, false, false, false, false);
                data.Add(folder, false, false, true, true);
                data.Add(folder, true, false, false, false);
                data.Add(folder, true, true, true, true);
            }

            return data;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Load_Export_GivesTheOfficialCodesAnswers(string folder, bool huggingFace, bool padsPoints, bool reversed, bool beside)
    {
        (ModelProto encoder, ModelProto decoder) = Pair(folder, huggingFace, padsPoints);
        if (reversed) (encoder, decoder) = (Sam2OtherExports.Reversed(encoder), Sam2OtherExports.Reversed(decoder));
        (string encoderName, string decoderName) = huggingFace
            ? ("vision_encoder.onnx", "prompt_encoder_mask_decoder.onnx")
            : ("sam2_hiera_tiny.encoder.onnx", "sam2_hiera_tiny.decoder.onnx");
        Write(encoder, encoderName, beside);
        Write(decoder, decoderName, beside);

        using SamModel sam = SamModel.Load(_folder.Path);

        Assert.Equal((PictureFit.Squash, !huggingFace, true, huggingFace, 3), (sam.Variant.Fit, sam.Capabilities.MaskPrompts, sam.Capabilities.Boxes, sam.Capabilities.ObjectScores, sam.Capabilities.MultipleMasks));
        int compared = Compare(folder, sam, prompt => Enumerable.Range(1, 3));
        Assert.True(compared > 5);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Load_NamesThatSayNothing_FindsEachByItsContent(string folder)
    {
        (ModelProto encoder, ModelProto decoder) = Pair(folder, false, false);
        Write(encoder, "b.onnx", beside: false);
        Write(decoder, "a.onnx", beside: true);
        File.WriteAllText(Path.Combine(_folder.Path, "notes.onnx"), "no model");
        using SamModel sam = SamModel.Load(_folder.Path);
        Assert.True(Compare(folder, sam, prompt => Enumerable.Range(1, 3)) > 5);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Load_SeveralThatCouldBeMeant_ListsThem(string folder)
    {
        (ModelProto encoder, ModelProto decoder) = Pair(folder, false, false);
        foreach (string name in new[] { "a.onnx", "b.onnx" }) Write(encoder, name, beside: false);
        Write(decoder, "c.onnx", beside: false);
        string message = Assert.Throws<ModelNotFoundException>(() => SamModel.Load(_folder.Path)).Message;
        foreach (string part in new[] { "2 image encoders and 1 mask decoder", "a.onnx (an image encoder", "c.onnx (a mask decoder)", "vision_encoder.onnx", "FromPaths" })
            Assert.Contains(part, message, StringComparison.Ordinal);

        File.Delete(Path.Combine(_folder.Path, "a.onnx"));
        File.Delete(Path.Combine(_folder.Path, "b.onnx"));
        Assert.Contains("no image encoder and 1 mask decoder", Assert.Throws<ModelNotFoundException>(() => SamModel.Load(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_SeveralPairs_ListsThem()
    {
        foreach (string name in new[] { "sam_vit_b_01ec64", "sam2_hiera_tiny" })
        {
            File.WriteAllBytes(Path.Combine(_folder.Path, name + ".encoder.onnx"), []);
            File.WriteAllBytes(Path.Combine(_folder.Path, name + ".decoder.onnx"), []);
        }

        string message = Assert.Throws<ModelNotFoundException>(() => SamModel.Load(_folder.Path)).Message;
        Assert.Contains("several pairs", message, StringComparison.Ordinal);
        Assert.Contains("sam_vit_b_01ec64.encoder.onnx", message, StringComparison.Ordinal);
    }

    // The size that masks are brought to is fed as whole numbers; how many masks there are is left open.
    [Theory]
    [MemberData(nameof(Folders))]
    public void Load_ExportOfTheSingleMaskThatTakesTheSize_GivesThatMask(string folder)
    {
        (StateDict weights, Sam2Layout layout) = Open(folder);
        using StateDict opened = weights;
        Write(Sam2OtherExports.PointsEncoder(weights, layout), "encoder.onnx", beside: false);
        Write(Sam2OtherExports.PointsDecoder(weights, layout, firstMask: 0, masks: 1, withSize: true), "decoder.onnx", beside: false);
        using SamModel sam = SamModel.Load(_folder.Path);
        Assert.Equal(1, sam.Capabilities.MultipleMasks);
        Assert.True(Compare(folder, sam, prompt => [0]) > 5);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Predict_SingleOfThree_IsTheBest(string folder)
    {
        using SamModel sam = LoadPlain(folder);
        ReferencePicture picture = FamilyModels.Require(folder).Pictures().First();
        using ImageEmbedding embedding = sam.Encode(picture.Pixels);
        Prompt[] prompts = [Prompt.Point(20, 20), Prompt.Point(30, 25).AndPoint(5, 5, foreground: false), Prompt.Box(5, 5, 40, 40)];
        MaskPrediction[] all = sam.Predict(embedding, prompts, MaskSelection.Multiple), single = sam.Predict(embedding, prompts, MaskSelection.Single);
        for (int i = 0; i < prompts.Length; i++)
        {
            PredictedMask one = Assert.Single(single[i]);
            Assert.Equal(3, all[i].Count);
            Assert.Equal((all[i].Best.MaskToken, all[i].Best.PredictedIou), (one.MaskToken, one.PredictedIou));
            Assert.Equal(all[i].Best.Mask, one.Mask);
        }

        AutomaticMaskOptions options = AutomaticMaskOptions.Default with { PointsPerSide = 3, PredIouThreshold = 0, StabilityScoreThreshold = 0 };
        Assert.NotEmpty(new AutomaticMaskGenerator(sam, options).Generate(picture.Pixels, cancellationToken: TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Predict_MaskPromptWhereTheFileTakesNone_SaysSo(string folder)
    {
        (ModelProto encoder, ModelProto decoder) = Pair(folder, huggingFace: true, padsPoints: false);
        Write(encoder, "vision_encoder.onnx", beside: false);
        Write(decoder, "prompt_encoder_mask_decoder.onnx", beside: false);
        using SamModel sam = SamModel.Load(_folder.Path);
        using ImageEmbedding embedding = sam.Encode(FamilyModels.Require(folder).Pictures().First().Pixels);
        int side = sam.Decoder.LowResSize;
        Assert.Contains("mask prompts", Assert.Throws<ModelContractException>(() => sam.Predict(embedding, Prompt.Point(4, 4).AndMask(new float[side * side]))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Inspect_Export_SaysWhatItIs(string folder)
    {
        foreach (bool huggingFace in new[] { false, true })
        {
            (ModelProto encoder, ModelProto decoder) = Pair(folder, huggingFace, false);
            Write(encoder, "e.onnx", beside: false);
            Write(decoder, "d.onnx", beside: true);
            ModelInspection one = ModelInspector.Inspect(Path.Combine(_folder.Path, "e.onnx")), other = ModelInspector.Inspect(Path.Combine(_folder.Path, "d.onnx"));
            Assert.Equal((ModelFileKind.ImageEncoder, "SAM 2", PictureFit.Squash, true), (one.Kind, one.Family, one.Fit, one.CanRun));
            Assert.Equal((ModelFileKind.MaskDecoder, "SAM 2", 3, true), (other.Kind, other.Family, other.Masks, other.CanRun));
        }
    }

    [Theory]
    [InlineData("../weights.data", "within the model's folder")]
    [InlineData("sub/../../weights.data", "within the model's folder")]
    [InlineData("..\\weights.data", "within the model's folder")]
    [InlineData("/weights.data", "within the model's folder")]
    [InlineData("C:\\weights.data", "within the model's folder")]
    [InlineData("", "within the model's folder")]
    [InlineData("nowhere.data", "not beside it")]
    [InlineData("short.data", "Is the file complete?")]
    public void Load_DataThatIsNotBeside_IsRefused(string location, string reason)
    {
        ModelProto decoder = Sam2OtherExports.HuggingFaceDecoder(Tiny.Weights, Tiny.Layout, false);
        File.WriteAllBytes(Path.Combine(_folder.Path, "short.data"), new byte[8]);
        TensorProto tensor = decoder.Graph.Initializer.First(t => t.RawData.Length > 16);
        Sam2OtherExports.Beside(tensor, location, 4, 8);
        string path = Path.Combine(_folder.Path, "decoder.onnx");
        string message = Assert.Throws<CheckpointException>(() => OnnxExternalData.Load(decoder, path, "decoder.onnx")).Message;
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.Throws<CheckpointException>(() => OnnxExternalData.Check(decoder, path, "decoder.onnx"));
        Assert.Contains("Give its path", Assert.Throws<CheckpointException>(() => OnnxExternalData.Load(decoder, null, "decoder.onnx")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_UnknownInput_IsNamed()
    {
        ModelProto decoder = Sam2OtherExports.PointsDecoder(Tiny.Weights, Tiny.Layout);
        decoder.Graph.Input.Add(new ValueInfoProto { Name = "enable_nms" });
        SamVariant variant = SamModels.MobileSam;
        Assert.Contains("enable_nms", Assert.Throws<CheckpointException>(() => Sam2Exports.Read(decoder, variant, "decoder.onnx")).Message, StringComparison.Ordinal);
        decoder.Graph.Input.RemoveAt(decoder.Graph.Input.Count - 1);
        Assert.Contains("SAM 3", Assert.Throws<CheckpointException>(() => Sam2Exports.Read(decoder, variant with { ImageSize = 1008, EmbeddingGrid = 72 }, "decoder.onnx")).Message, StringComparison.Ordinal);
    }

    private static (StateDict Weights, Sam2Layout Layout) Tiny
    {
        get
        {
            Sam2Spec spec = new() { EmbedWidth = 8, Heads = 1, BlocksPerStage = [1, 1, 1, 1], GlobalBlocks = [], Windows = [4, 4, 4, 4], ImageSize = 64 };
            StateDict weights = RandomSam2.Weights(spec, 7, 32, 4, 8);
            return (weights, Sam2Layout.Of(weights, spec));
        }
    }

    private static (StateDict Weights, Sam2Layout Layout) Open(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        StateDict weights = golden.Open();
        return (weights, Sam2Layout.Of(weights, golden.Spec));
    }

    private static (ModelProto Encoder, ModelProto Decoder) Pair(string folder, bool huggingFace, bool padsPoints)
    {
        (StateDict weights, Sam2Layout layout) = Open(folder);
        using (weights)
        {
            return huggingFace
                ? (Sam2OtherExports.HuggingFaceEncoder(weights, layout), Sam2OtherExports.HuggingFaceDecoder(weights, layout, padsPoints))
                : (Sam2OtherExports.PointsEncoder(weights, layout), Sam2OtherExports.PointsDecoder(weights, layout));
        }
    }

    private SamModel LoadPlain(string folder)
    {
        (ModelProto encoder, ModelProto decoder) = Pair(folder, false, false);
        Write(encoder, "x.encoder.onnx", beside: false);
        Write(decoder, "x.decoder.onnx", beside: false);
        return SamModel.Load(_folder.Path);
    }

    private void Write(ModelProto model, string name, bool beside)
    {
        string path = Path.Combine(_folder.Path, name);
        if (beside) Sam2OtherExports.WriteWithDataBeside(model, path, name + "_data");
        else File.WriteAllBytes(path, model.ToByteArray());
    }

    // Every prompt that the file takes; gives the number of masks that were compared.
    private static int Compare(string folder, SamModel sam, Func<ReferencePrompt, IEnumerable<int>> tokens)
    {
        int compared = 0;
        foreach (ReferencePicture picture in FamilyModels.Require(folder).Pictures())
        {
            using ImageEmbedding embedding = sam.Encode(picture.Pixels);
            foreach ((string map, float[] expected) in picture.Maps) Assert.True(ReferenceFile.MaxDifference(embedding.ValuesOf(map), expected) < ScoreTolerance, map);
            foreach (ReferencePrompt prompt in picture.Prompts)
            {
                Prompt given = prompt.For(sam.Capabilities);
                if (!given.MaskLogits.IsEmpty && !sam.Capabilities.MaskPrompts) continue;
                MaskPrediction found = sam.Predict(embedding, given, MaskSelection.All);
                Assert.Equal(tokens(prompt), found.Select(m => m.MaskToken).Order());
                if (found.ObjectScore is { } score) Assert.Equal(prompt.ObjectScore!.Value, score, ScoreTolerance);
                foreach (PredictedMask mask in found)
                {
                    int size = mask.LowResLogits.Length;
                    float[] expected = [.. prompt.LowRes!.AsSpan(mask.MaskToken * size, size).ToArray().Select(v => Math.Clamp(v, -32, 32))];
                    double difference = ReferenceFile.MaxDifference(mask.LowResLogits.Span, expected);
                    Assert.True(difference <= LogitTolerance, $"{picture.Name} {prompt.Name}, token {mask.MaskToken}: logits differ by {difference}");
                    Assert.True(Math.Abs(prompt.Iou![mask.MaskToken] - mask.PredictedIou) <= ScoreTolerance, $"{prompt.Name}: predicted IoU");
                    compared++;
                }
            }
        }

        return compared;
    }
}
