using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Models;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests.Graphs;

/// <summary>The published sizes, with random weights that are made on the spot.</summary>
public class FullSizeVitTests
{
    private static readonly VitLayout VitB = RandomVit.Published(768, 12, 12, 2, 5, 8, 11);

    [Fact]
    public void VitB_BuildsLoadsAndRuns()
    {
        using var folder = new TemporaryFolder();
        using var weights = new RandomVit(VitB);
        Assert.Equal(VitB with { Windows = [] }, VitLayout.Of(weights) with { Windows = [] });
        Assert.Equal(VitB.Windows, VitLayout.Of(weights).Windows);

        long start = Stopwatch.GetTimestamp();
        CheckpointModelBuilder.Write(RandomVit.Model(weights), "random", folder.Path, new CheckpointModelOptions(), default);
        TimeSpan built = Stopwatch.GetElapsedTime(start);
        // The graph is small: the weights are beside it, where they can be mapped.
        Assert.InRange(new FileInfo(Path.Combine(folder.Path, CheckpointModelBuilder.EncoderFileName)).Length, 1, 20 << 20);
        Assert.InRange(new FileInfo(Path.Combine(folder.Path, CheckpointModelBuilder.WeightsFileName)).Length, 4L * 85_000_000, 4L * 95_000_000);

        start = Stopwatch.GetTimestamp();
        using InferenceSession session = Load(folder.Path, half: false);
        TimeSpan loaded = Stopwatch.GetElapsedTime(start);
        float[] image = new float[3 * 1024 * 1024];
        for (int i = 0; i < image.Length; i++) image[i] = MathF.Sin(i * 0.001f) + MathF.Cos(i / 1024 * 0.01f);
        start = Stopwatch.GetTimestamp();
        using OrtValue value = OrtValue.CreateTensorValueFromMemory(image, [1, 3, 1024, 1024]);
        using var options = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, ["image"], [value], ["embedding"]);
        TimeSpan ran = Stopwatch.GetElapsedTime(start);

        ReadOnlySpan<float> embedding = outputs[0].GetTensorDataAsSpan<float>();
        Assert.Equal(256 * 64 * 64, embedding.Length);
        (float least, float most) = (float.MaxValue, float.MinValue);
        foreach (float v in embedding) (least, most) = (Math.Min(least, v), Math.Max(most, v));
        Assert.True(float.IsFinite(least) && float.IsFinite(most) && most - least > 0.1f, $"{least} to {most}");
        double gigaFlop = 2e-9 * VitB.MultiplyAdds();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"ViT-B: built in {built.TotalSeconds:0.0} s, loaded in {loaded.TotalSeconds:0.0} s, first run {ran.TotalSeconds:0.0} s for {gigaFlop:0} GFLOP: {gigaFlop / ran.TotalSeconds:0} GFLOP/s");
    }

    [Theory]
    [InlineData("ViT-L", 1024, 24, 16, new[] { 5, 11, 17, 23 })]
    [InlineData("ViT-H", 1280, 32, 16, new[] { 7, 15, 23, 31 })]
    public void LargeModelInFloat16_BuildsAndLoadsWithinOneAndAHalfTimesItsSize(string name, int channels, int depth, int heads, int[] globalBlocks)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("SEGMENTANYTHING_LARGE_TESTS") == "1",
            "Takes gigabytes of disk: set SEGMENTANYTHING_LARGE_TESTS=1, and run it alone, as it measures the process.");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Peak memory is read from Linux's proc file system.");
        using var folder = new TemporaryFolder();
        using var weights = new RandomVit(RandomVit.Published(channels, depth, heads, globalBlocks));
        double size = 2.0 * weights.Values;

        long before = PeakMemory.Restart();
        long start = Stopwatch.GetTimestamp();
        CheckpointModelBuilder.Write(RandomVit.Model(weights), "random", folder.Path, new CheckpointModelOptions { Half = true }, default);
        TimeSpan built = Stopwatch.GetElapsedTime(start);
        long building = PeakMemory.Read() - before;
        start = Stopwatch.GetTimestamp();
        using InferenceSession session = Load(folder.Path, half: true);
        TimeSpan loaded = Stopwatch.GetElapsedTime(start);
        long loading = PeakMemory.Read() - before;

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{name}: float16 size {size / 1e6:0} MB; built in {built.TotalSeconds:0.0} s with {building / 1e6:0} MB, loaded in {loaded.TotalSeconds:0.0} s with {loading / 1e6:0} MB");
        Assert.InRange(loading / size, 0, 1.5);
    }

    private static InferenceSession Load(string folder, bool half)
    {
        using var options = new SessionOptions();
        if (half) EncoderSource.HalfTuning.Apply(options);
        return new InferenceSession(Path.Combine(folder, CheckpointModelBuilder.EncoderFileName), options);
    }

    /// <summary>The most memory that the process had resident, in bytes, since it was restarted.</summary>
    private static class PeakMemory
    {
        public static long Restart()
        {
            GC.Collect();
            File.WriteAllText("/proc/self/clear_refs", "5");
            return Read();
        }

        public static long Read() => 1024 * long.Parse(
            File.ReadLines("/proc/self/status").Single(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
    }
}
