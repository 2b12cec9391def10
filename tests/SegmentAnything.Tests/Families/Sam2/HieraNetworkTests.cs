using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Networks;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

public class HieraNetworkTests
{
    // What the reference data suggests: five times the difference of float32 and float64 in the official code.
    private const double Tolerance = 5e-5;

    public static TheoryData<string> Folders => [.. Sam2Golden.Folders];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Run_EqualsTheOfficialCode(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        using WorkSplitter splitter = new(2);
        foreach (string file in golden.Files)
        {
            using StateDict weights = golden.Open(file);
            Sam2Layout layout = Sam2Layout.Of(weights, golden.Spec);
            foreach (int width in new[] { 4, 8, 16 })
            {
                using EncoderNetwork network = HieraNetwork.Build(weights, layout, width);
                foreach (JsonElement picture in golden.Pictures)
                {
                    float[] maps = new float[network.Outputs.Sum()];
                    network.Run(golden.Floats(picture.GetProperty("input_tensor")), maps, splitter, CancellationToken.None);
                    int start = 0;
                    foreach ((string map, int length) in new[] { "image_embed", "hr0", "hr1" }.Zip(network.Outputs))
                    {
                        double difference = ReferenceFile.MaxDifference(maps.AsSpan(start, length), golden.Floats(picture.GetProperty(map)));
                        TestContext.Current.TestOutputHelper?.WriteLine($"{picture.GetProperty("id")}, {file}, {width}, {map}: {difference:e1}");
                        Assert.True(difference < Tolerance, $"{file}, {width}, {map}: {difference}");
                        start += length;
                    }
                }
            }
        }
    }

    // Windows that are padded where queries are pooled too, pooled queries of all tokens, and global attention whose keys fill no vector.
    [Theory]
    [InlineData(320, 6, new[] { 10, 4, 6, 3 }, new[] { 3, 4 })]
    [InlineData(160, 8, new[] { 8, 4, 14, 7 }, new[] { 2, 4 })]
    public void Run_OtherSizes_EqualsTheGraph(int imageSize, int width, int[] windows, int[] global)
    {
        Sam2Spec spec = new() { EmbedWidth = width, BlocksPerStage = [1, 1, 3, 2], GlobalBlocks = [.. global], Windows = [.. windows], Heads = 2, ImageSize = imageSize };
        StateDict weights = RandomSam2.Weights(spec, 7, 32, 4, 8);
        Sam2Layout layout = Sam2Layout.Of(weights, spec);
        float[] image = EncoderRunner.RandomImage(imageSize, seed: 4);
        Dictionary<string, float[]> expected = GraphRunner.Run(HieraEncoderGraph.Build(weights, layout), ("image", image, [1, 3, imageSize, imageSize]));
        using WorkSplitter splitter = new(2);
        using EncoderNetwork network = HieraNetwork.Build(weights, layout, 16);
        float[] maps = new float[network.Outputs.Sum()];
        network.Run(image, maps, splitter, CancellationToken.None);
        int start = 0;
        foreach ((string map, int length) in new[] { "embedding", HieraEncoderGraph.HighRes0, HieraEncoderGraph.HighRes1 }.Zip(network.Outputs))
        {
            double difference = ReferenceFile.MaxDifference(maps.AsSpan(start, length), expected[map]);
            TestContext.Current.TestOutputHelper?.WriteLine($"{map}: {difference:e1}");
            Assert.True(difference < Tolerance, $"{map}: {difference}");
            start += length;
        }
    }

    [Fact]
    public void Build_Cancelled_Stops()
    {
        Sam2Golden golden = Sam2Golden.Read(Sam2Golden.Folders[0]);
        using StateDict weights = golden.Open();
        Sam2Layout layout = Sam2Layout.Of(weights, golden.Spec);
        Assert.Throws<OperationCanceledException>(() => HieraNetwork.Build(weights, layout, 8, new CancellationToken(canceled: true)));
    }
}
