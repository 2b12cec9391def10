using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Onnx;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>
/// Every checkpoint of the reference data with one thing wrong, a tensor at a time: it is refused, and the message names the
/// tensor, what was found and what was expected.
/// </summary>
public sealed partial class BrokenWeightsTests
{
    private const string Unknown = "no image encoder of a known SAM", Relative = "has another architecture";

    // What the networks read.
    private static readonly string[] Parts = ["image_encoder.", "prompt_encoder.", "mask_decoder."];

    public static TheoryData<string, string> Checkpoints()
    {
        TheoryData<string, string> checkpoints = [];
        foreach (string manifest in FamilyModels.Manifests())
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(manifest));
            foreach (string file in FamilyModels.Checkpoints(json.RootElement)) checkpoints.Add(Path.GetFileName(Path.GetDirectoryName(manifest)!), file);
        }

        // A theory without cases fails: one that skips says why.
        if (checkpoints.Count == 0) checkpoints.Add("", "");
        return checkpoints;
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Recognise_MissingTensor_IsNamed(string folder, string file)
    {
        Case model = Case.Open(folder, file);
        List<string> wrong = [];
        int unknown = 0;
        foreach (string name in model.Read)
        {
            string message = model.Refusal(tensors => tensors.Remove(name));
            // By a few tensors a family is told: without one it is none that is known.
            if (message.Contains(Unknown, StringComparison.Ordinal) || message.Contains(Relative, StringComparison.Ordinal)) unknown++;
            else if (!message.Contains($"'{name}'", StringComparison.Ordinal)) wrong.Add($"{name}: {message}");
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
        Assert.InRange(unknown, 0, 2);
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Recognise_TensorOfAnotherRank_IsNamedWithTheShapeFound(string folder, string file)
    {
        Case model = Case.Open(folder, file);
        List<string> wrong = [];
        foreach (string name in model.Read)
        {
            int[] shape = [1, .. model.Tensors[name].Shape, 1];
            string message = model.Refusal(tensors => tensors[name] = (shape, tensors[name].Values));
            if (!message.Contains(name, StringComparison.Ordinal) || !message.Contains($"[{string.Join(", ", shape)}]", StringComparison.Ordinal)) wrong.Add($"{name}: {message}");
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Recognise_TensorThatIsLonger_IsRefusedWithBothShapes(string folder, string file)
    {
        Case model = Case.Open(folder, file);
        List<string> wrong = [];
        int named = 0;
        foreach (string name in model.Read)
        {
            int[] shape = [.. model.Tensors[name].Shape];
            string found = $"[{string.Join(", ", (int[])[.. shape[..^1], shape[^1] + 1])}]", expected = $"[{string.Join(", ", shape)}]";
            string message = model.Refusal(tensors =>
            {
                shape[^1]++;
                tensors[name] = (shape, new float[shape.Aggregate(1, (product, length) => product * length)]);
            });
            if (message.Contains($"'{name}'", StringComparison.Ordinal) && message.Contains(found, StringComparison.Ordinal) && message.Contains(expected, StringComparison.Ordinal)) named++;
            // Sizes are read from some tensors: there, one that does not fit it is named, or the specification.
            else if (!((string[])["shape", "channels", "Spec"]).Any(word => message.Contains(word, StringComparison.Ordinal))) wrong.Add($"{name}: {message}");
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
        Assert.True(named >= model.Read.Count * 9 / 10, $"{named} of {model.Read.Count} were named with both shapes.");
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Recognise_TensorTooMany_IsNamedWithItsShape(string folder, string file)
    {
        Case model = Case.Open(folder, file);
        foreach (string name in (string[])["image_encoder.adapter.weight", "mask_decoder.transformer.norm_extra.weight", "mask_decoder.output_hypernetworks_mlps.77.layers.0.weight"])
        {
            string message = model.Refusal(tensors => tensors.Add(name, ([3, 5], new float[15])));
            Assert.Contains($"'{name}' of shape [3, 5]", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Load_ValueThatIsNotFinite_IsNamedWithItsTensor(string folder, string file)
    {
        Case model = Case.Open(folder, file);
        foreach ((string part, float value) in Parts.Zip((float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity]))
        {
            string name = model.Read.Last(n => n.StartsWith(part, StringComparison.Ordinal) && n.EndsWith(".weight", StringComparison.Ordinal));
            Dictionary<string, (int[] Shape, float[] Values)> tensors = new(model.Tensors);
            float[] values = [.. tensors[name].Values];
            values[^1] = value;
            tensors[name] = (tensors[name].Shape, values);
            using TemporaryFolder written = new();
            string path = Path.Combine(written.Path, "broken.safetensors");
            File.WriteAllBytes(path, TinyCheckpoint.Safetensors(tensors.Select(t => new TinyTensor(t.Key, "float32", [.. t.Value.Shape.Select(d => (long)d)], t.Value.Values))));

            CheckpointException e = Assert.Throws<CheckpointException>(() => SamModel.Load(path, new SamOptions { Specification = model.Specification }));

            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            Assert.Contains($"'{name}'", e.Message, StringComparison.Ordinal);
            Assert.Contains(value.ToString(System.Globalization.CultureInfo.InvariantCulture), e.Message, StringComparison.Ordinal);
            Assert.Contains($"value {values.Length - 1}", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Load_OnnxDecoderWithAValueThatIsNotFinite_IsNamedWithItsInitialiser(string folder, string file)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using TemporaryFolder converted = new();
        CheckpointConverter.Convert(
            reference.PathOf(file), converted.Path, new CheckpointConversionOptions { Specification = reference.Specification }, cancellationToken: TestContext.Current.CancellationToken);
        string path = Path.Combine(converted.Path, "decoder.onnx");
        ModelProto model = OnnxFile.Parse(File.ReadAllBytes(path), path);
        TensorProto bias = model.Graph.Initializer.Last(t => t.Name.EndsWith(".bias", StringComparison.Ordinal) && t.Name.Contains("upscal", StringComparison.Ordinal) && t.RawData.Length > 0);
        byte[] raw = bias.RawData.ToByteArray();
        BitConverter.TryWriteBytes(raw.AsSpan(^sizeof(float)..), float.NaN);
        bias.RawData = ByteString.CopyFrom(raw);
        using (FileStream stream = File.Create(path)) model.WriteTo(stream);

        CheckpointException e = Assert.Throws<CheckpointException>(() => SamModel.Load(converted.Path));

        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        Assert.Contains($"'{bias.Name}'", e.Message, StringComparison.Ordinal);
        Assert.Contains("NaN", e.Message, StringComparison.Ordinal);
    }

    // A norm's counter is for training, and so was the classifier of a TinyViT.
    [GeneratedRegex(@"\.num_batches_tracked$|^image_encoder\.(norm_)?head\.")]
    private static partial Regex Unread();

    /// <summary>The weights of a model under the names that messages use.</summary>
    private sealed record Case(Dictionary<string, (int[] Shape, float[] Values)> Tensors, ModelSpecification Specification)
    {
        /// <summary>The names of those that the networks read.</summary>
        public IReadOnlyList<string> Read { get; } = [.. Tensors.Keys.Where(name => Parts.Any(part => name.StartsWith(part, StringComparison.Ordinal))
            && !Unread().IsMatch(name)).Order(StringComparer.Ordinal)];

        public static Case Open(string folder, string file)
        {
            FamilyModels reference = FamilyModels.Require(folder);
            using StateDict weights = CheckpointReader.Open(reference.PathOf(file));
            StateDict named = ModelFamilies.Recognise(weights, reference.Specification).Weights;
            // Hugging Face's names have a copy of one matrix that would make them such names again.
            return new Case(named.Tensors.Values.Where(t => !t.Name.StartsWith("shared_image_embedding.", StringComparison.Ordinal)).ToDictionary(t => t.Name, t => (t.Shape.ToArray(), named.ReadAny(t.Name))), reference.Specification);
        }

        /// <summary>What is said of the weights after a change; nothing if they are taken.</summary>
        public string Refusal(Action<Dictionary<string, (int[] Shape, float[] Values)>> change)
        {
            Dictionary<string, (int[] Shape, float[] Values)> tensors = new(Tensors);
            change(tensors);
            try
            {
                ModelFamilies.Recognise(new InMemoryStateDict("weights", tensors), Specification);
                return "";
            }
            catch (CheckpointException e)
            {
                return e.Message;
            }
        }
    }
}
