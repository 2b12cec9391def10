using System.Text.Json;
using SegmentAnything.Kernels;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Kernels;

public class MaskUpscalerTests
{
    // Reference logits up to 50, float32: what two bilinear resizes in another order of arithmetic may differ by.
    private const double RoundingTolerance = 2e-5;

    public static TheoryData<string> ReferenceImages => ["truck", "groceries", "picture1"];

    [Theory]
    [MemberData(nameof(ReferenceImages))]
    public void Measure_ReferenceLogits_GivesTheReferenceMasks(string name)
    {
        string folder = TestPaths.RequireGolden("predictor", name);
        JsonElement manifest = GoldenJson.Read("predictor", name, "manifest.json");
        ImageSize size = manifest.GetProperty("original_size_hw").SizeHw();
        var upscaler = new MaskUpscaler(manifest.GetProperty("input_size_hw").SizeHw(), size);
        int masks = 0;
        foreach (JsonElement prompt in manifest.GetProperty("prompts").EnumerateArray())
        {
            foreach (string mode in new[] { "multimask_true", "multimask_false" })
            {
                JsonElement result = prompt.GetProperty(mode);
                bool exact = result.TryGetProperty("low_res_f32", out JsonElement low);
                if (!exact) low = result.GetProperty("low_res");
                float[] logits = GoldenJson.ReadFloats(folder, low);
                int index = 0;
                foreach (JsonElement mask in result.GetProperty("masks").EnumerateArray().SelectMany(b => b.EnumerateArray()))
                {
                    MaskMeasurement found = upscaler.Measure(logits.AsSpan(index++ * 256 * 256, 256 * 256), 0, 1);
                    RleMask expected = RleMask.FromCocoString(mask.GetProperty("rle").GetProperty("counts").GetString()!, size.Width, size.Height);
                    string where = $"{name} {prompt.GetProperty("id").GetString()} {mode} {index - 1}";
                    Assert.Equal(found.Mask.Area, found.Area);
                    float stability = mask.GetProperty("stability_score").ValueKind == JsonValueKind.Null
                        ? float.NaN : mask.GetProperty("stability_score").GetSingle();
                    if (exact)
                    {
                        // The very logits of the reference: the very mask.
                        Assert.True(expected == found.Mask, where);
                        Assert.Equal(mask.GetProperty("box_xyxy").Ints(),
                            new[] { found.InclusiveBox.X0, found.InclusiveBox.Y0, found.InclusiveBox.X1, found.InclusiveBox.Y1 });
                        // One pixel on an outer cut-off may fall on the other side: the reference's compiled loops do not
                        // all fuse the same product.
                        Assert.InRange(Math.Abs(stability - found.StabilityScore) * found.LowerArea, 0, 1.1);
                    }
                    else
                    {
                        // Logits rounded to half precision may flip pixels whose logit is that near to the cut-off.
                        long near = mask.GetProperty("pixels_abs_logit_lt_1e_2").GetInt64();
                        long differing = expected.Area + found.Area - (2 * expected.IntersectionArea(found.Mask));
                        Assert.True(differing <= (2 * near) + 3, $"{where}: {differing} pixels differ, {near} are near the cut-off");
                        Assert.True(float.IsNaN(stability) ? float.IsNaN(found.StabilityScore) : Math.Abs(stability - found.StabilityScore) < 2e-3, where);
                    }

                    masks++;
                }
            }
        }

        Assert.True(masks >= 32);
    }

    [Fact]
    public void UpscaleLogits_TinyModel_GivesTheBitsOfTheReference()
    {
        JsonElement manifest = GoldenJson.Read("tiny", "tiny_b", "manifest.json");
        string folder = TestPaths.RequireGolden("tiny", "tiny_b");
        ImageSize size = manifest.GetProperty("original_size_hw").SizeHw();
        var upscaler = new MaskUpscaler(manifest.GetProperty("input_size_hw").SizeHw(), size, 32, 128);
        int compared = 0;
        foreach (JsonElement prompt in manifest.GetProperty("prompts").EnumerateArray())
        {
            if (!prompt.TryGetProperty("full_res_logits_multimask", out JsonElement full)) continue;
            float[] low = GoldenJson.ReadFloats(folder, prompt.GetProperty("low_res_all4"));
            float[] expected = GoldenJson.ReadFloats(folder, full);
            for (int mask = 0; mask < 3; mask++)
            {
                float[] found = new float[size.Width * size.Height];
                upscaler.UpscaleLogits(low.AsSpan((mask + 1) * 32 * 32, 32 * 32), found);
                Assert.Equal(expected[(mask * found.Length)..((mask + 1) * found.Length)], found);
                compared++;
            }
        }

        Assert.Equal(6, compared);
    }

    [Fact]
    public void UpscaleLogits_ReferenceCases_AgreesWithinRounding()
    {
        // The reference resizes these small tensors with another kernel, whose sums are in another order.
        JsonElement golden = GoldenJson.Read("lowlevel", "pre_post_process.json").GetProperty("postprocess_masks");
        float[] low = golden.GetProperty("low").Floats();
        foreach (JsonElement item in golden.GetProperty("cases").EnumerateArray())
        {
            ImageSize size = item.GetProperty("original_hw").SizeHw();
            var upscaler = new MaskUpscaler(item.GetProperty("input_hw").SizeHw(), size, 8, golden.GetProperty("img_size").GetInt32());
            float[] expected = item.GetProperty("out").Floats();
            float[] found = new float[expected.Length];
            int pixels = size.Width * size.Height;
            for (int mask = 0; mask < 6; mask++) upscaler.UpscaleLogits(low.AsSpan(mask * 64, 64), found.AsSpan(mask * pixels, pixels));
            for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], RoundingTolerance);
        }
    }

    // Enlarging and shrinking, by little and by much; single rows and columns; heights around whole words; logits that are
    // smooth (many known words), noise (none), large, constant, and not finite.
    [Theory]
    [InlineData(1800, 1200)]
    [InlineData(1201, 1799)]
    [InlineData(800, 534)]
    [InlineData(1024, 683)]
    [InlineData(400, 300)]
    [InlineData(63, 128)]
    [InlineData(65, 64)]
    [InlineData(1, 129)]
    [InlineData(127, 1)]
    [InlineData(1, 1)]
    [InlineData(2500, 70)]
    public void Measure_EverySize_IsTheScalarDefinitionCut(int width, int height)
    {
        const int Seed = 99;
        ImageSize size = new(width, height);
        var upscaler = new MaskUpscaler(new ImageFrame(size, 1024).ResizedSize, size);
        float[] full = new float[width * height], fast = new float[width * height];
        foreach ((string kind, float[] logits) in LogitKinds(Seed))
        {
            upscaler.UpscaleLogitsScalar(logits, full);
            upscaler.UpscaleLogits(logits, fast);
            Assert.True(full.AsSpan().SequenceEqual(fast), $"{kind}, seed {Seed}");
            float[] withoutPadding = [.. logits];
            withoutPadding.AsSpan(upscaler.LowResRows * 256).Fill(float.NaN);
            foreach ((float cutoff, float offset) in new[] { (0f, 1f), (0.5f, 0f), (-3f, 0.25f) })
            {
                MaskMeasurement found = upscaler.Measure(logits, cutoff, offset);
                byte[] bitmap = [.. full.Select(v => v > cutoff ? (byte)1 : (byte)0)];
                RleMask expected = RleMask.FromBitmap(bitmap, width, height);
                Assert.Equal(found, upscaler.Measure(withoutPadding, cutoff, offset));
                string where = $"{kind}, cut-off {cutoff}, offset {offset}, seed {Seed}";
                Assert.True(expected == found.Mask, where);
                Assert.Equal(full.LongCount(v => v > cutoff - offset), found.LowerArea);
                Assert.Equal(full.LongCount(v => v > cutoff), found.Area);
                Assert.Equal(full.LongCount(v => v > cutoff + offset), found.UpperArea);
            }
        }
    }

    [Fact]
    public void Measure_ManyThreads_EachGetsItsOwnAnswer()
    {
        ImageSize size = new(900, 600);
        var upscaler = new MaskUpscaler(new ImageFrame(size, 1024).ResizedSize, size);
        (string, float[] Logits)[] kinds = [.. LogitKinds(3)];
        RleMask[] expected = [.. kinds.Select(k => upscaler.Measure(k.Logits, 0, 1).Mask)];
        Parallel.For(0, 64, i => Assert.True(expected[i % kinds.Length] == upscaler.Measure(kinds[i % kinds.Length].Logits, 0, 1).Mask));
    }

    // Measuring ends where the columns so far prove that the score will be too low: it must never end for a mask that is stable.
    [Theory]
    [InlineData(1800, 1200)]
    [InlineData(333, 777)]
    [InlineData(65, 64)]
    [InlineData(2, 129)]
    public void TryMeasure_AnyThreshold_AcceptsWhatMeasureFindsStable(int width, int height)
    {
        ImageSize size = new(width, height);
        var upscaler = new MaskUpscaler(new ImageFrame(size, 1024).ResizedSize, size);
        var random = new Random(11);
        foreach ((string kind, float[] logits) in LogitKinds(11).Concat(Blobs(random, 20)))
        {
            MaskMeasurement whole = upscaler.Measure(logits, 0, 1);
            float score = whole.StabilityScore;
            foreach (float threshold in (float[])[0.05f, 0.5f, 0.9f, 0.95f, 1, score, MathF.BitDecrement(score), MathF.BitIncrement(score), score + 1e-5f])
            {
                bool stable = upscaler.TryMeasure(logits, 0, 1, threshold, out MaskMeasurement found);
                Assert.True(stable == (score >= threshold), $"{kind}: score {score}, threshold {threshold}");
                if (stable) Assert.Equal(whole, found);
            }
        }
    }

    // As many masks as are divided among the threads, and so few that each is cut into columns; also narrower than the threads.
    [Theory]
    [InlineData(1800, 1200, 1, 2)]
    [InlineData(801, 300, 3, 3)]
    [InlineData(801, 300, 5, 1)]
    [InlineData(300, 200, 20, 4)]
    [InlineData(2, 129, 2, 8)]
    [InlineData(1, 1, 1, 4)]
    public void Measure_SplitAmongThreads_IsTheSameAsOneByOne(int width, int height, int masks, int threads)
    {
        ImageSize size = new(width, height);
        var upscaler = new MaskUpscaler(new ImageFrame(size, 1024).ResizedSize, size);
        float[][] kinds = [.. LogitKinds(5).Select(k => k.Logits)];
        using var splitter = new WorkSplitter(threads);
        // Again and again with other masks: what is reused must hold nothing of those before.
        for (int first = 0; first < kinds.Length; first++)
        {
            float[] logits = [.. Enumerable.Range(first, masks).SelectMany(i => kinds[i % kinds.Length])];
            MaskMeasurement[] found = new MaskMeasurement[masks];
            upscaler.Measure(logits, 0, 1, splitter, found, CancellationToken.None);
            for (int i = 0; i < masks; i++) Assert.Equal(upscaler.Measure(kinds[(first + i) % kinds.Length], 0, 1), found[i]);
        }

        Assert.Throws<ArgumentException>(() => upscaler.Measure(new float[65535], 0, 1, splitter, new MaskMeasurement[1], CancellationToken.None));
        Assert.Throws<OperationCanceledException>(
            () => upscaler.Measure(new float[65536], 0, 1, splitter, new MaskMeasurement[1], new CancellationToken(canceled: true)));
    }

    [Fact]
    public void TryMeasure_UnstableMask_IsRefusedWithoutAMask()
    {
        var upscaler = new MaskUpscaler(new ImageSize(1024, 683), new ImageSize(300, 200));
        float[] ramp = new float[256 * 256];
        for (int i = 0; i < ramp.Length; i++) ramp[i] = ((i % 256) - 128) / 4f;
        float score = upscaler.Measure(ramp, 0, 1).StabilityScore;
        Assert.InRange(score, 0.5f, 0.99f);
        Assert.True(upscaler.TryMeasure(ramp, 0, 1, score, out MaskMeasurement stable));
        Assert.NotNull(stable.Mask);
        Assert.False(upscaler.TryMeasure(ramp, 0, 1, MathF.BitIncrement(score), out _));

        // 0 / 0: nothing above any cut-off.
        Array.Fill(ramp, -5);
        Assert.True(float.IsNaN(upscaler.Measure(ramp, 0, 1).StabilityScore));
        Assert.False(upscaler.TryMeasure(ramp, 0, 1, 0, out _));
    }

    [Fact]
    public void Measure_SteadyState_AllocatesOnlyTheRuns()
    {
        ImageSize size = new(1800, 1200);
        var upscaler = new MaskUpscaler(new ImageFrame(size, 1024).ResizedSize, size);
        float[] logits = LogitKinds(1).First().Logits;
        int runs = upscaler.Measure(logits, 0, 1).Mask.Counts.Length;
        // The best of several rounds: code that is not optimised yet boxes values now and then.
        const int Rounds = 20, Times = 20;
        long each = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Times; i++) upscaler.Measure(logits, 0, 1);
            each = Math.Min(each, (GC.GetAllocatedBytesForCurrentThread() - before) / Times);
        }

        Assert.InRange(each, runs * sizeof(int), (runs * sizeof(int)) + 256);
    }

    [Fact]
    public void Measure_BadArguments_Throw()
    {
        var upscaler = new MaskUpscaler(new ImageSize(1024, 683), new ImageSize(300, 200));
        Assert.Throws<ArgumentException>(() => upscaler.Measure(new float[255], 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => upscaler.Measure(new float[65536], 0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => upscaler.UpscaleLogits(new float[65536], new float[59999]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MaskUpscaler(new ImageSize(1025, 1), new ImageSize(3, 3)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MaskUpscaler(new ImageSize(3, 3), new ImageSize(65536, 65536)));
    }

    [Fact]
    public void StabilityScore_ReferenceCases_IsTheSame()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "stability_score.json");
        foreach (JsonElement item in golden.GetProperty("cases").EnumerateArray())
        {
            int[] upper = item.GetProperty("intersections").Ints(), lower = item.GetProperty("unions").Ints();
            float[] expected = item.GetProperty("score").Floats();
            for (int i = 0; i < expected.Length; i++)
                Assert.Equal(expected[i], new MaskMeasurement(RleMask.Empty(1, 1), lower[i], 0, upper[i]).StabilityScore);
        }
    }

    // Ellipses with edges from firm to soft, anywhere in the frame.
    private static IEnumerable<(string Kind, float[] Logits)> Blobs(Random random, int count)
    {
        for (int blob = 0; blob < count; blob++)
        {
            double x0 = random.NextDouble() * 256, y0 = random.NextDouble() * 256, a = 5 + (random.NextDouble() * 100), b = 5 + (random.NextDouble() * 100);
            double slope = 2 + (random.NextDouble() * 60);
            yield return ($"blob {blob}", [.. Enumerable.Range(0, 65536).Select(i =>
                (float)(slope * (1 - Math.Sqrt(Math.Pow(((i % 256) - x0) / a, 2) + Math.Pow(((i / 256) - y0) / b, 2)))))]);
        }
    }

    private static IEnumerable<(string Kind, float[] Logits)> LogitKinds(int seed)
    {
        Random random = new(seed);
        float[] smooth = new float[256 * 256];
        for (int y = 0; y < 256; y++)
        {
            for (int x = 0; x < 256; x++)
                smooth[(y * 256) + x] = (float)(20 * Math.Sin(x / 23.0) * Math.Cos(y / 31.0)) + ((x + y) / 64f) - 5;
        }

        yield return ("smooth", smooth);
        yield return ("noise", [.. Enumerable.Range(0, 65536).Select(_ => (random.NextSingle() * 12) - 6)]);
        yield return ("large", [.. smooth.Select(v => v * 1e6f)]);
        yield return ("all background", [.. smooth.Select(_ => -9f)]);
        yield return ("all foreground", [.. smooth.Select(_ => 9f)]);
        yield return ("on the cut-off", [.. smooth.Select(v => MathF.Round(v / 10))]);
        yield return ("not finite", [.. smooth.Select((v, i) => i % 1999 == 0 ? float.NaN : i % 1777 == 0 ? float.PositiveInfinity : i % 1444 == 0 ? float.NegativeInfinity : v)]);
    }
}
