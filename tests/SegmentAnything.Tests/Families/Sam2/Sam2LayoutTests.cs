using System.Text.RegularExpressions;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

public partial class Sam2LayoutTests
{
    public static TheoryData<string> KeyLists
    {
        get
        {
            string? root = TestPaths.Golden is { } golden ? Path.Combine(golden, "..", "specs", "keys") : null;
            string[] found = root is not null && Directory.Exists(root) ? Directory.GetFiles(root, "keys_sam2*.txt") : [];
            return found.Length > 0 ? [.. found.Select(f => Path.GetFileName(f)!)] : [""];
        }
    }

    // Names and shapes of a published file, without values.
    [Theory]
    [MemberData(nameof(KeyLists))]
    public void Of_PublishedNamesAndShapes_IsThatVariant(string list)
    {
        Assert.SkipWhen(list.Length == 0, "The lists of names and shapes are not here.");
        Match name = FileName().Match(list);
        using ShapesOnly weights = ShapesOnly.Read(Path.Combine(TestPaths.RequireGolden(), "..", "specs", "keys", list));
        Assert.True(Sam2Names.Are(weights.Tensors.Keys));
        Sam2Layout layout = Sam2Layout.Of(Sam2Names.View(weights));
        Assert.Equal(name.Groups[2].Value, layout.PublishedName);
        Assert.Equal(name.Groups[1].Value == "2.1", layout.Is21);
        Assert.True(layout.HasMemory);
        Assert.Equal(1024, layout.ImageSize);
    }

    [Theory]
    [InlineData("tiny", 145)]
    [InlineData("small", 179)]
    [InlineData("base_plus", 323)]
    [InlineData("large", 911)]
    public void MultiplyAdds_AreThosePublished(string variant, double billions)
    {
        Sam2Spec spec = Sam2Layout.Published.Single(p => p.Name == variant).Spec;
        Sam2Layout layout = Sam2Layout.Of(RandomSam2.Weights(spec, variant == "base_plus" ? 14 : 7, 256, 32, 64, valuesNeeded: false), spec);
        // Without the folding of convolutions, which saves about two.
        Assert.InRange(layout.MultiplyAdds() / 1e9, billions * 0.98, billions * 1.005);
    }

    [Fact]
    public void Of_OtherSize_AsksForASpecification()
    {
        StateDict weights = Small();
        var error = Assert.Throws<CheckpointException>(() => Sam2Layout.Of(weights));
        Assert.Contains("24 channels", error.Message, StringComparison.Ordinal);
        Assert.Contains("6 blocks", error.Message, StringComparison.Ordinal);
        Assert.Contains("tiny (96 channels, 12 blocks)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_WrongSpecification_SaysWhichNumberDisagrees()
    {
        StateDict weights = Small();
        Sam2Spec right = SmallSpec;
        Refused(right with { EmbedWidth = 32 }, "EmbedWidth 32, the weights have 24");
        Refused(right with { BlocksPerStage = [1, 2, 1, 1] }, "5 blocks");
        Refused(right with { BlocksPerStage = [2, 1, 2, 1] }, "block 1 begins a stage");
        Refused(right with { Heads = 5 }, "Heads 5");
        Refused(right with { Windows = [4, 4, 4, 2] }, "window of 4");
        Refused(right with { Windows = [8, 3, 4, 2] }, "window of 3");
        Refused(right with { GlobalBlocks = [6] }, "GlobalBlocks 6");
        Refused(right with { ImageSize = 100 }, "ImageSize 100");
        Sam2Layout.Of(weights, right);

        void Refused(Sam2Spec spec, string part)
        {
            var error = Assert.Throws<CheckpointException>(() => Sam2Layout.Of(weights, spec));
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("image_encoder.trunk.blocks.3.attn.proj.bias")]
    [InlineData("image_encoder.neck.convs.1.conv.weight")]
    [InlineData("no_mem_embed")]
    [InlineData("mask_decoder.pred_obj_score_head.layers.1.weight")]
    public void Of_MissingOrMisshapenTensor_IsNamed(string name)
    {
        Dictionary<string, (int[] Shape, float[] Values)> tensors = RandomSam2.Tensors(SmallSpec, 7, 32, 4, 8);
        tensors[name] = ([3, 2], new float[6]);
        var error = Assert.Throws<CheckpointException>(() => Sam2Layout.Of(new InMemoryStateDict("test", tensors), SmallSpec));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Contains("[3, 2]", error.Message, StringComparison.Ordinal);
        tensors.Remove(name);
        error = Assert.Throws<CheckpointException>(() => Sam2Layout.Of(new InMemoryStateDict("test", tensors), SmallSpec));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_ExtraTensor_IsNamed()
    {
        Dictionary<string, (int[] Shape, float[] Values)> tensors = RandomSam2.Tensors(SmallSpec, 7, 32, 4, 8);
        tensors["image_encoder.trunk.blocks.3.attn.rel_pos"] = ([2], new float[2]);
        var error = Assert.Throws<CheckpointException>(() => Sam2Layout.Of(new InMemoryStateDict("test", tensors), SmallSpec));
        Assert.Contains("blocks.3.attn.rel_pos", error.Message, StringComparison.Ordinal);
    }

    private static Sam2Spec SmallSpec { get; } = new()
    {
        EmbedWidth = 24,
        Heads = 2,
        BlocksPerStage = [1, 2, 2, 1],
        GlobalBlocks = [4],
        Windows = [8, 4, 4, 2],
        ImageSize = 128,
    };

    private static InMemoryStateDict Small() => RandomSam2.Weights(SmallSpec, 7, 32, 4, 8);

    [GeneratedRegex(@"^keys_sam(2(?:\.1)?)_(\w+)\.txt$")]
    private static partial Regex FileName();

    private sealed class ShapesOnly(string source, Dictionary<string, TensorInfo> tensors) : StateDict
    {
        public override string Source => source;

        public override IReadOnlyDictionary<string, TensorInfo> Tensors => tensors;

        public static ShapesOnly Read(string path)
        {
            Dictionary<string, TensorInfo> tensors = [];
            foreach (string line in File.ReadLines(path).Where(l => l.Contains('[', StringComparison.Ordinal)))
            {
                int at = line.IndexOf(" [", StringComparison.Ordinal);
                int[] shape = [.. line[(at + 2)..].TrimEnd().TrimEnd(']').Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
                tensors[line[..at]] = new TensorInfo(line[..at], TensorType.Float32, [.. shape]);
            }

            return new ShapesOnly(Path.GetFileName(path), tensors);
        }

        protected internal override void ReadCore(TensorInfo tensor, Span<float> destination) => throw new InvalidOperationException("Recognition reads no values.");
    }
}
