using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Graphs;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

public class HieraEncoderGraphTests
{
    // What the reference data suggests: five times the difference of float32 and float64 in the official code.
    private const double Tolerance = 5e-5;

    // float16 weights: relative errors of 5e-4 each, in a few hundred of every sum; of values up to 15.
    private const double HalfTolerance = 0.1;

    public static TheoryData<string> Folders => [.. Sam2Golden.Folders];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Build_EqualsTheOfficialCode(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        EncoderForm tiled = EncoderForm.Tiled;
        foreach (string file in golden.Files)
        {
            using StateDict weights = golden.Open(file);
            Sam2Layout layout = Sam2Layout.Of(weights, golden.Spec);
            // Small parts and pieces, so that what the published sizes need is taken here, too.
            foreach (EncoderForm form in new[] { tiled, tiled with { ValuesOfPart = 5000, ScoresOfPart = 5000 }, EncoderForm.Plain })
            {
                GraphBuilder graph = HieraEncoderGraph.Build(weights, layout, form: form);
                foreach (JsonElement picture in golden.Pictures) Compare(golden, picture, graph, Tolerance, $"{file}, {form}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Build_Float16_IsNear(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        using StateDict weights = golden.Open();
        GraphBuilder graph = HieraEncoderGraph.Build(weights, Sam2Layout.Of(weights, golden.Spec), new WeightOptions(Half: true));
        foreach (JsonElement picture in golden.Pictures) Compare(golden, picture, graph, HalfTolerance, "float16");
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Layout_IsThatOfTheReference(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        using StateDict weights = golden.Open();
        Sam2Layout layout = Sam2Layout.Of(weights, golden.Spec);
        Assert.Equal(golden.Manifest.GetProperty("config").GetProperty("version").GetString() == "2.1", layout.Is21 || !layout.HasMemory);
        Assert.Equal(golden.Manifest.GetProperty("memory_keys_included").GetBoolean(), layout.HasMemory);
        JsonElement[] blocks = [.. golden.Manifest.GetProperty("blocks").EnumerateArray()];
        Assert.Equal(blocks.Length, layout.Blocks.Length);
        foreach ((JsonElement expected, HieraBlock block) in blocks.Zip(layout.Blocks))
        {
            int window = expected.GetProperty("window").GetInt32();
            Assert.Equal(expected.GetProperty("dim_in").GetInt32(), block.InputChannels);
            Assert.Equal(expected.GetProperty("dim_out").GetInt32(), block.Channels);
            Assert.Equal(expected.GetProperty("heads").GetInt32(), block.Heads);
            Assert.Equal(expected.GetProperty("grid_in").GetInt32(), block.InputGrid);
            Assert.Equal(expected.GetProperty("grid_out").GetInt32(), block.Grid);
            Assert.Equal(window == 0 ? block.InputGrid : window, block.Window);
            Assert.Equal(expected.GetProperty("padded_grid").GetInt32(), block.PaddedGrid);
            Assert.Equal(expected.GetProperty("q_pool").GetBoolean(), block.Pools);
        }
    }

    [Fact]
    public void Build_Cancelled_Stops()
    {
        Sam2Golden golden = Sam2Golden.Read(Sam2Golden.Folders[0]);
        using StateDict weights = golden.Open();
        Sam2Layout layout = Sam2Layout.Of(weights, golden.Spec);
        Assert.Throws<OperationCanceledException>(() => HieraEncoderGraph.Build(weights, layout, cancellationToken: new CancellationToken(canceled: true)));
    }

    private static void Compare(Sam2Golden golden, JsonElement picture, GraphBuilder graph, double tolerance, string what)
    {
        long size = golden.Spec.ImageSize!.Value;
        Dictionary<string, float[]> found = GraphRunner.Run(graph, ("image", golden.Floats(picture.GetProperty("input_tensor")), [1, 3, size, size]));
        foreach ((string output, string expected) in new[] { ("embedding", "image_embed"), (HieraEncoderGraph.HighRes0, "hr0"), (HieraEncoderGraph.HighRes1, "hr1") })
        {
            double difference = ReferenceFile.MaxDifference(found[output], golden.Floats(picture.GetProperty(expected)));
            TestContext.Current.TestOutputHelper?.WriteLine($"{picture.GetProperty("id")}, {what}, {output}: {difference:e1}");
            Assert.True(difference < tolerance, $"{what}, {output}: {difference}");
        }
    }
}
