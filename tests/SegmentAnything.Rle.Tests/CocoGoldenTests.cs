using System.Text;
using System.Text.Json;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle.Tests;

/// <summary>The COCO API's numbers, exactly.</summary>
public class CocoGoldenTests
{
    [Fact]
    public void Encode_EveryCase_GivesTheReferenceRunsTextAreaAndBox()
    {
        int cases = 0;
        foreach (JsonElement golden in Golden.Coco("encode.json"))
        {
            (int height, int width) = Golden.Size(golden.GetProperty("size"));
            byte[] bitmap = Golden.Bitmap(golden.GetProperty("rows"));
            RleMask mask = RleMask.FromBitmap(bitmap, width, height);
            int[] counts = Golden.Ints(golden.GetProperty("uncompressed"));
            string text = golden.GetProperty("counts").GetString()!;

            Assert.Equal(counts, mask.Counts.ToArray());
            Assert.Equal(text, mask.ToCocoString());
            Assert.Equal(text, Encoding.ASCII.GetString(mask.ToCocoUtf8()));
            Assert.Equal(golden.GetProperty("area").GetInt64(), mask.Area);
            AssertBox(golden.GetProperty("bbox"), mask);
            Assert.Equal(mask, RleMask.FromCocoString(text, width, height));
            Assert.Equal(mask, RleMask.FromCounts(counts, width, height));
            Assert.Equal(bitmap, mask.ToBitmap());
            Assert.Equal(mask, RleMask.FromLogits([.. bitmap.Select(pixel => pixel - 0.5f)], width, height));

            var columns = new byte[bitmap.Length];
            mask.ToColumnMajor(columns);
            for (int x = 0; x < width; x++)
                for (int y = 0; y < height; y++)
                    Assert.Equal(bitmap[(y * width) + x], columns[(x * height) + y]);
            Assert.Equal(mask, RleMask.FromColumnMajor(columns, width, height));
            cases++;
        }

        Assert.Equal(120, cases);
    }

    [Fact]
    public void Large_EveryCase_GivesTheReferenceNumbersThroughABitmapAndBack()
    {
        int cases = 0;
        foreach (JsonElement golden in Golden.Coco("large.json"))
        {
            RleMask mask = Golden.Mask(golden.GetProperty("counts"), golden.GetProperty("size"));
            Assert.Equal(golden.GetProperty("runs").GetInt32(), mask.Counts.Length);
            Assert.Equal(golden.GetProperty("area").GetInt64(), mask.Area);
            AssertBox(golden.GetProperty("bbox"), mask);
            Assert.Equal(golden.GetProperty("counts").GetString(), mask.ToCocoString());
            Assert.Equal(mask, RleMask.FromBitmap(mask.ToBitmap(), mask.Width, mask.Height));
            cases++;
        }

        Assert.Equal(12, cases);
    }

    [Fact]
    public void IntersectionOverUnion_EveryPair_EqualsTheReference()
    {
        int pairs = 0;
        foreach (JsonElement golden in Golden.Coco("iou.json"))
        {
            RleMask[] detections = Masks(golden, "dt"), truths = Masks(golden, "gt");
            int[] crowd = Golden.Ints(golden.GetProperty("iscrowd"));
            for (int d = 0; d < detections.Length; d++)
            {
                for (int g = 0; g < truths.Length; g++, pairs++)
                {
                    Assert.Equal(
                        golden.GetProperty("iou")[d][g].GetDouble(),
                        detections[d].IntersectionOverUnion(truths[g], crowd[g] != 0));
                }
            }
        }

        Assert.True(pairs > 400, $"{pairs} pairs");
    }

    [Fact]
    public void Text_OfAnyRuns_EqualsTheReference()
    {
        foreach (JsonElement golden in Golden.LowLevel("mask_box_rle.json").GetProperty("string_codec").EnumerateArray())
        {
            int[] counts = Golden.Ints(golden.GetProperty("counts"));
            string text = golden.GetProperty("coco").GetString()!;
            var written = new byte[counts.Length * RleKernels.MaxGroups];
            Assert.Equal(text, Encoding.ASCII.GetString(written, 0, RleKernels.WriteText(counts, written)));
            var read = new int[counts.Length];
            Assert.Equal(counts.Length, RleKernels.ReadText(Encoding.ASCII.GetBytes(text), read));
            Assert.Equal(counts, read);
        }
    }

    [Fact]
    public void Merge_EveryCase_EqualsTheReference()
    {
        foreach (JsonElement golden in Golden.Coco("merge.json"))
        {
            RleMask[] masks = Masks(golden, "masks");
            JsonElement size = golden.GetProperty("size");
            Assert.Equal(Golden.Mask(golden.GetProperty("union"), size), RleMask.Union(masks));
            Assert.Equal(Golden.Mask(golden.GetProperty("intersection"), size), RleMask.Intersection(masks));
            Assert.Equal(golden.GetProperty("union").GetString(), masks.Aggregate((a, b) => a.Union(b)).ToCocoString());
        }
    }

    [Fact]
    public void IouMatrix_EveryCase_EqualsTheReference()
    {
        foreach (JsonElement golden in Golden.Coco("iou.json"))
        {
            bool[] crowd = [.. Golden.Ints(golden.GetProperty("iscrowd")).Select(value => value != 0)];
            AssertMatrix(golden.GetProperty("iou"), IouMatrix.Masks(Masks(golden, "dt"), Masks(golden, "gt"), crowd));
            AssertMatrix(
                golden.GetProperty("bbox_iou"),
                IouMatrix.Boxes(Flat(golden.GetProperty("bbox_dt")), Flat(golden.GetProperty("bbox_gt")), crowd));
        }
    }

    [Fact]
    public void Suppression_EveryCase_EqualsTheReference()
    {
        foreach (JsonElement golden in Golden.Coco("iou.json"))
        {
            RleMask[] masks = Masks(golden, "dt");
            AssertKept(golden.GetProperty("mask_nms_keep_05"), NonMaximumSuppression.Masks(masks, Falling(masks.Length), 0.5));

            float[] boxes = [.. golden.GetProperty("bbox_dt").EnumerateArray().SelectMany(
                box => new[] { box[0].GetSingle(), box[1].GetSingle(), box[0].GetSingle() + box[2].GetSingle(), box[1].GetSingle() + box[3].GetSingle() })];
            AssertKept(
                golden.GetProperty("bbox_nms_keep_05"), NonMaximumSuppression.Boxes(boxes, Falling(boxes.Length / 4), 0.5));
        }

        static float[] Falling(int count) => [.. Enumerable.Range(0, count).Select(i => (float)-i)];

        static void AssertKept(JsonElement flags, int[] kept) =>
            Assert.Equal(Golden.Ints(flags).Index().Where(flag => flag.Item != 0).Select(flag => flag.Index), kept);
    }

    [Fact]
    public void Polygon_EveryCase_GivesTheReferenceMask()
    {
        int cases = 0;
        foreach (JsonElement golden in Golden.Coco("polygon.json"))
        {
            (int height, int width) = Golden.Size(golden.GetProperty("size"));
            double[] polygon = Golden.Doubles(golden.GetProperty("polygon"));
            RleMask mask = RleMask.FromPolygon(polygon, width, height);
            Assert.Equal(golden.GetProperty("counts").GetString(), mask.ToCocoString());
            Assert.Equal(golden.GetProperty("area").GetInt64(), mask.Area);
            Assert.Equal(mask.Counts.ToArray(), RleKernels.FillPolygonsScalar([polygon], width, height));
            cases++;
        }

        Assert.Equal(120, cases);
    }

    [Fact]
    public void Box_EveryCase_GivesTheReferenceMask()
    {
        int cases = 0;
        foreach (JsonElement golden in Golden.Coco("frombox.json"))
        {
            (int height, int width) = Golden.Size(golden.GetProperty("size"));
            double[] box = Golden.Doubles(golden.GetProperty("bbox"));
            RleMask mask = RleMask.FromBox(box[0], box[1], box[2], box[3], width, height);
            Assert.Equal(golden.GetProperty("counts").GetString(), mask.ToCocoString());
            if (box.All(double.IsInteger))
                Assert.Equal(mask, RleMask.FromBox(new MaskBox((int)box[0], (int)box[1], (int)box[2], (int)box[3]), width, height));
            cases++;
        }

        Assert.Equal(40, cases);
    }

    internal static RleMask[] Masks(JsonElement golden, string property) =>
        [.. golden.GetProperty(property).EnumerateArray().Select(text => Golden.Mask(text, golden.GetProperty("size")))];

    private static double[] Flat(JsonElement rows) => [.. rows.EnumerateArray().SelectMany(Golden.Doubles)];

    private static void AssertMatrix(JsonElement expected, double[,] actual)
    {
        Assert.Equal(expected.GetArrayLength(), actual.GetLength(0));
        for (int d = 0; d < actual.GetLength(0); d++)
        {
            Assert.Equal(expected[d].GetArrayLength(), actual.GetLength(1));
            for (int g = 0; g < actual.GetLength(1); g++) Assert.Equal(expected[d][g].GetDouble(), actual[d, g]);
        }
    }

    private static void AssertBox(JsonElement expected, RleMask mask)
    {
        MaskBox box = mask.BoundingBox;
        Assert.Equal(Golden.Doubles(expected), new double[] { box.X, box.Y, box.Width, box.Height });
    }
}
