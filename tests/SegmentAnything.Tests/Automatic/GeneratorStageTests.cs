using System.Text.Json;
using SegmentAnything.Automatic;
using SegmentAnything.Rle;

namespace SegmentAnything.Tests.Automatic;

/// <summary>Each step of the automatic generator against the official code's numbers.</summary>
public class GeneratorStageTests
{
    [Fact]
    public void PointGrid_ReferenceCases_IsTheSameToTheBit()
    {
        foreach (JsonElement item in GoldenJson.Read("lowlevel", "point_grids.json").GetProperty("cases").EnumerateArray())
        {
            (double X, double Y)[][] found = PointGrid.BuildLayers(
                item.GetProperty("n_per_side").GetInt32(), item.GetProperty("n_layers").GetInt32(), item.GetProperty("scale_per_layer").GetInt32());
            if (item.TryGetProperty("first_row_x", out JsonElement row))
            {
                Assert.Equal(row.Doubles(), found[0].Take(row.GetArrayLength()).Select(p => p.X));
                continue;
            }

            JsonElement[] expected = item.GetProperty("grids").Items();
            Assert.Equal(expected.Length, found.Length);
            for (int layer = 0; layer < expected.Length; layer++)
                Assert.Equal(expected[layer].Items().Select(p => (p[0].GetDouble(), p[1].GetDouble())), found[layer]);
        }
    }

    [Fact]
    public void CropBoxes_ReferenceCases_AreTheSame()
    {
        foreach (JsonElement item in GoldenJson.Read("lowlevel", "generate_crop_boxes.json").GetProperty("cases").EnumerateArray())
        {
            List<CropBox> found = CropBoxes.Generate(
                item.GetProperty("im_hw").SizeHw(), item.GetProperty("n_layers").GetInt32(), item.GetProperty("overlap_ratio").GetDouble());
            int[][] expected = [.. item.GetProperty("crop_boxes").Items().Select(b => b.Ints())];
            int[] layers = item.GetProperty("layer_idxs").Ints();
            var wanted = expected.Zip(layers, (b, layer) => new CropBox(b[0], b[1], b[2] - b[0], b[3] - b[1], layer))
                .Where(b => b.Width > 0 && b.Height > 0);
            Assert.Equal(wanted, found);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 5)]
    [InlineData(1, 300)]
    public void CropBoxes_ImageOfFewPixels_AllLieWithinIt(int width, int height)
    {
        foreach (CropBox box in CropBoxes.Generate(new ImageSize(width, height), 3, 512.0 / 1500))
        {
            Assert.True(box.Width > 0 && box.Height > 0 && box.X >= 0 && box.Y >= 0);
            Assert.True(box.X + box.Width <= width && box.Y + box.Height <= height);
        }
    }

    [Fact]
    public void IsNearCropEdge_ReferenceCases_IsTheSame()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "crop_edge_uncrop.json");
        foreach (JsonElement item in golden.GetProperty("edges").EnumerateArray())
        {
            Assert.Equal(CandidateFilter.EdgeTolerance, item.GetProperty("atol").GetDouble());
            int[] crop = item.GetProperty("crop_box").Ints(), image = item.GetProperty("orig_box").Ints();
            CropBox box = new(crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1], 1);
            int[][] boxes = [.. item.GetProperty("boxes_in_crop").Items().Select(b => b.Ints())];
            int[] near = item.GetProperty("near_edge").Ints();
            int[][] uncropped = [.. item.GetProperty("uncropped").Items().Select(b => b.Ints())];
            for (int i = 0; i < boxes.Length; i++)
            {
                Box inCrop = new(boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3]);
                Assert.Equal(near[i] != 0, CandidateFilter.IsNearCropEdge(inCrop, box, new ImageSize(image[2], image[3])));
                Assert.Equal(new Box(uncropped[i][0], uncropped[i][1], uncropped[i][2], uncropped[i][3]), inCrop.Offset(box.X, box.Y));
            }
        }
    }

    [Fact]
    public void Uncrop_ReferenceMasks_AreTheSame()
    {
        foreach (JsonElement item in GoldenJson.Read("lowlevel", "crop_edge_uncrop.json").GetProperty("uncrop_masks").EnumerateArray())
        {
            int[] crop = item.GetProperty("crop_box").Ints();
            ImageSize image = item.GetProperty("orig_hw").SizeHw();
            (byte[] pixels, int width, int height) = item.GetProperty("rows").Bitmap();
            RleMask mask = RleMask.FromBitmap(pixels, width, height);
            Candidate candidate = new(0, mask, mask.Area, CandidateFilter.BoxOf(mask), 1, 1, 0, 0,
                new CropBox(crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1], 1));

            Candidate found = candidate.Uncrop(image);

            (byte[] expected, width, height) = item.GetProperty("out_rows").Bitmap();
            Assert.Equal(RleMask.FromBitmap(expected, width, height), found.Mask);
            Assert.Equal(CandidateFilter.BoxOf(found.Mask), found.Box);
        }
    }

    [Fact]
    public void BoxOf_ReferenceMasks_IsTheSame()
    {
        foreach (JsonElement item in GoldenJson.Read("lowlevel", "mask_box_rle.json").GetProperty("masks").EnumerateArray())
        {
            (byte[] pixels, int width, int height) = item.GetProperty("rows").Bitmap();
            RleMask mask = RleMask.FromBitmap(pixels, width, height);
            int[] box = item.GetProperty("box_xyxy").Ints();
            Assert.Equal(new Box(box[0], box[1], box[2], box[3]), CandidateFilter.BoxOf(mask));
            float[] xywh = item.GetProperty("box_xywh").Floats();
            Box reported = CandidateFilter.BoxOf(mask);
            Assert.Equal((xywh[0], xywh[1], xywh[2], xywh[3]), (reported.X0, reported.Y0, reported.Width, reported.Height));
            Assert.Equal(item.GetProperty("area").GetInt64(), mask.Area);
        }
    }

    [Fact]
    public void Suppress_ReferenceCases_KeepsTheSameInTheSameOrder()
    {
        int whole = 0;
        foreach (JsonElement item in GoldenJson.Read("lowlevel", "nms.json").GetProperty("cases").EnumerateArray())
        {
            // Our boxes are whole pixels; cases with fractions are covered where suppression lives, in the run-length package.
            float[] boxes = item.GetProperty("boxes").Floats();
            if (boxes.Any(b => b != MathF.Round(b))) continue;
            float[] scores = item.GetProperty("scores").Floats();
            RleMask mask = RleMask.Empty(1, 1);
            List<Candidate> candidates = [.. scores.Select((score, i) => new Candidate(
                i, mask, 0, new Box((int)boxes[4 * i], (int)boxes[(4 * i) + 1], (int)boxes[(4 * i) + 2], (int)boxes[(4 * i) + 3]),
                score, 1, 0, 0, new CropBox(0, 0, 1, 1, 0)))];
            List<Candidate> kept = CandidateFilter.SuppressWithinCrop(candidates, item.GetProperty("iou_threshold").GetDouble());
            Assert.Equal(item.GetProperty("nms_keep").Ints(), kept.Select(c => c.Index));
            whole++;
        }

        Assert.True(whole > 0);
    }

    [Fact]
    public void Suppress_EqualScores_KeepsTheFirst()
    {
        RleMask mask = RleMask.Empty(1, 1);
        CropBox large = new(0, 0, 100, 100, 0), small = new(0, 0, 50, 50, 1);
        Candidate Make(int index, CropBox crop) => new(index, mask, 0, new Box(0, 0, 10, 10), 0.9f, 1, 0, 0, crop);
        Assert.Equal(0, Assert.Single(CandidateFilter.SuppressWithinCrop([Make(0, large), Make(1, large)], 0.7)).Index);
        var certain = new CertainMasks(AutomaticMaskOptions.Default, betweenCrops: true, threads: 2);
        CancellationToken token = TestContext.Current.CancellationToken;
        Assert.Equal([1, 2, 0], CertainMasks.OrderOfWork([large, small, small]));
        Assert.Equal(1, Assert.Single(certain.Add([Make(1, small)], token)).Index);
        Assert.Empty(certain.Add([Make(2, small)], token));
        Assert.Empty(certain.Add([Make(0, large)], token));
        Assert.Empty(certain.Complete());
    }

    [Fact]
    public void RemoveSmallRegions_ReferenceCases_AreTheSame()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "remove_small_regions.json");
        foreach (JsonElement item in golden.GetProperty("holes_then_islands").EnumerateArray())
        {
            (byte[] pixels, int width, int height) = item.GetProperty("rows").Bitmap();
            RleMask mask = RleMask.FromBitmap(pixels, width, height);
            Candidate candidate = new(7, mask, mask.Area, CandidateFilter.BoxOf(mask), 1, 1, 0, 0, new CropBox(0, 0, width, height, 0));

            (Candidate found, bool isChanged) = Assert.Single(CandidateFilter.RemoveSmallRegions(
                [candidate], item.GetProperty("area_thresh").GetInt32(), threads: 2, TestContext.Current.CancellationToken));
            Assert.Equal(found.Mask != mask, isChanged);

            (byte[] expected, width, height) = item.GetProperty("out_rows").Bitmap();
            Assert.Equal(RleMask.FromBitmap(expected, width, height), found.Mask);
            Assert.Equal(found.Mask.Area, found.Area);
            Assert.Equal(CandidateFilter.BoxOf(found.Mask), found.Box);
        }
    }

    [Fact]
    public void RemoveSmallRegions_MasksThatBecomeAlike_KeepsTheUnchangedOne()
    {
        // A square, and the same square with a speck far away: alike once the speck is gone.
        byte[] clean = new byte[400], speck = new byte[400];
        for (int y = 5; y < 15; y++) clean.AsSpan((y * 20) + 5, 10).Fill(1);
        clean.CopyTo(speck, 0);
        speck[0] = 1;
        CropBox crop = new(0, 0, 20, 20, 0);
        Candidate Make(int index, byte[] pixels)
        {
            RleMask mask = RleMask.FromBitmap(pixels, 20, 20);
            return new Candidate(index, mask, mask.Area, CandidateFilter.BoxOf(mask), 1, 1, 0, 0, crop);
        }

        var certain = new CertainMasks(new AutomaticMaskOptions { MinMaskRegionArea = 4 }, betweenCrops: false, threads: 2);
        Candidate kept = Assert.Single(certain.Add([Make(0, speck), Make(1, clean)], TestContext.Current.CancellationToken));
        Assert.Equal(1, kept.Index);
        Assert.Empty(certain.Complete());
    }

    // The definition: everything is there, then suppressed between crops, cleaned, and suppressed once more.
    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void CertainMasks_OfRandomCrops_AreThoseOfTheReferencesOrderOfWork(int minArea)
    {
        const int Seed = 4711;
        var random = new Random(Seed);
        CancellationToken token = TestContext.Current.CancellationToken;
        var options = new AutomaticMaskOptions { MinMaskRegionArea = minArea, CropNmsThreshold = 0.4, BoxNmsThreshold = 0.5 };
        int waited = 0;
        for (int round = 0; round < 60; round++)
        {
            List<CropBox> crops = CropBoxes.Generate(new ImageSize(61, 47), random.Next(1, 3), options.CropOverlapRatio);
            List<Candidate>[] found = [.. crops.Select(crop => Enumerable.Range(0, random.Next(8)).Select(i => RandomCandidate(random, crop, i)).ToList())];

            List<Candidate> expected = CandidateFilter.Suppress(
                [.. found.SelectMany(list => list)], candidate => (float)(1 / candidate.Crop.Area), options.CropNmsThreshold);
            if (minArea > 0)
            {
                (Candidate Cleaned, bool IsChanged)[] cleaned = CandidateFilter.RemoveSmallRegions(expected, minArea, threads: 2, token);
                Dictionary<Candidate, bool> changed = cleaned.ToDictionary(c => c.Cleaned, c => c.IsChanged);
                expected = CandidateFilter.Suppress([.. changed.Keys], candidate => changed[candidate] ? 0 : 1, 0.5);
            }

            var certain = new CertainMasks(options, betweenCrops: true, threads: 2);
            List<Candidate> streamed = [.. CertainMasks.OrderOfWork(crops).SelectMany(i => certain.Add(found[i], token))];
            List<Candidate> last = certain.Complete();
            waited += last.Count;
            Assert.True(expected.SequenceEqual([.. streamed, .. last]), $"round {round}, seed {Seed}");
        }

        Assert.Equal(minArea > 0, waited > 0);
    }

    private static Candidate RandomCandidate(Random random, CropBox crop, int index)
    {
        (int x0, int y0) = (crop.X + random.Next(crop.Width), crop.Y + random.Next(crop.Height));
        int width = random.Next(1, crop.X + crop.Width - x0 + 1), height = random.Next(1, crop.Y + crop.Height - y0 + 1);
        RleMask mask = RleMask.FromBox(new MaskBox(x0, y0, width, height), 61, 47);
        if (random.Next(2) == 0) mask = mask.Union(RleMask.FromBox(new MaskBox(random.Next(61), random.Next(47), 1, 1), 61, 47)); // a speck
        return new Candidate(index, mask, mask.Area, CandidateFilter.BoxOf(mask), 1, 1, x0, y0, crop);
    }

    [Theory]
    [InlineData(0.88f, 0.88f, false)]
    [InlineData(0.8800001f, 0.88f, true)]
    [InlineData(float.NaN, 0.88f, false)]
    [InlineData(-5f, 0f, true)]
    public void PassesPredictedIou_OnlyAboveTheThreshold(float value, float threshold, bool expected) =>
        Assert.Equal(expected, CandidateFilter.PassesPredictedIou(value, threshold));
}
