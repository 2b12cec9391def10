using System.Text.Json;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Kernels;
using SegmentAnything.Masks;
using SegmentAnything.Rle;
using SegmentAnything.Tests.References;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

public class Sam2MaskTests
{
    // What the reference data says that float32 differs from float64, of values around 30.
    private const double UpscaleTolerance = 3.6e-5;

    [Fact]
    public void Clean_ReferenceCases_EqualsTheOfficialCode()
    {
        foreach (JsonElement item in GoldenJson.Read("families", "lowlevel", "sam2_holes.json").GetProperty("cases").EnumerateArray())
        {
            ImageSize size = item.GetProperty("hw").SizeHw();
            float[] logits = item.GetProperty("logits").Floats();
            SmallRegions.Clean(logits, size.Width, size.Height, item.GetProperty("mask_threshold").GetSingle(),
                item.GetProperty("max_hole_area").GetInt32(), item.GetProperty("max_sprinkle_area").GetInt32());
            Assert.Equal(item.GetProperty("out_logits").Floats(), logits);
        }
    }

    [Fact]
    public void Upscale_ReferenceCases_EqualsTheOfficialCode()
    {
        string folder = TestPaths.RequireGolden("families", "lowlevel");
        foreach (JsonElement item in GoldenJson.Read("families", "lowlevel", "sam2_upsample.json").GetProperty("cases").EnumerateArray())
        {
            ImageSize size = item.GetProperty("hw").SizeHw();
            int side = item.GetProperty("low").GetProperty("shape")[0].GetInt32();
            float[] low = ReferenceFile.ReadFloats(folder, item.GetProperty("low"));
            MaskUpscaler upscaler = new(new ImageSize(side, side), size, side, side);
            float[] found = new float[size.Width * size.Height];
            upscaler.UpscaleLogits(low, found);
            double difference = 0;
            if (item.TryGetProperty("out", out JsonElement all))
            {
                difference = ReferenceFile.MaxDifference(found, ReferenceFile.ReadFloats(folder, all));
            }
            else
            {
                JsonElement probes = item.GetProperty("probes");
                foreach ((int index, float value) in probes.GetProperty("flat_index").Ints().Zip(probes.GetProperty("value").Floats()))
                    difference = Math.Max(difference, Math.Abs((double)found[index] - value));
            }

            Assert.True(difference <= UpscaleTolerance, $"{size}: {difference}");
            RleMask expected = RleMask.FromCocoString(item.GetProperty("rle").GetProperty("counts").GetString()!, size.Width, size.Height);
            Assert.InRange(expected.SymmetricDifference(upscaler.Measure(low, 0, 1).Mask).Area, 0, item.GetProperty("px_abs_lt_1e-3").GetInt64());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void CountAbove_EqualsScalar(int length)
    {
        Random random = new(length);
        float[] values = new float[length];
        for (int i = 0; i < length; i++) values[i] = i % 9 == 4 ? float.NaN : random.Next(-3, 4);
        foreach (float threshold in new[] { -1f, 0.5f, 3f }) Assert.Equal(MaskKernels.CountAboveScalar(values, threshold), MaskKernels.CountAbove(values, threshold));
    }

    [Fact]
    public void Choose_NothingAboveTheOuterCutoff_IsStable()
    {
        float[] logits = new float[16];
        Array.Fill(logits, -1);
        Assert.Equal(0, Sam2MaskRules.Choose(logits, [0.1f, 0.9f, 0.9f, 0.2f]));
    }

    [Fact]
    public void Choose_Unstable_TakesTheFirstOfTheBestOthers()
    {
        float[] logits = new float[16];
        Array.Fill(logits, -1);
        logits[0] = 0.01f;
        Assert.Equal(1, Sam2MaskRules.Choose(logits, [1, 0.9f, 0.9f, 0.2f]));
        Assert.Equal(3, Sam2MaskRules.Choose(logits, [1, 0.1f, 0.1f, 0.2f]));
    }
}
