using FsCheck;
using FsCheck.Fluent;

namespace SegmentAnything.Rle.Tests;

/// <summary>Laws that hold for all masks, tried on random ones; a counterexample is shown.</summary>
public class PropertyTests
{
    private sealed record Pixels(int Width, int Height, byte[] Bitmap)
    {
        public RleMask Mask => RleMask.FromBitmap(Bitmap, Width, Height);

        public override string ToString() => $"{Width} x {Height}: {string.Concat(Bitmap)}";
    }

    private static Gen<byte[]> Bitmap(int width, int height) =>
        from density in Gen.Choose(0, 100)
        from numbers in Gen.Choose(0, 99).ArrayOf(width * height)
        select numbers.Select(number => (byte)(number < density ? 1 : 0)).ToArray();

    private static readonly Arbitrary<Pixels> One = (
        from width in Gen.Choose(1, 70)
        from height in Gen.Choose(1, 70)
        from bitmap in Bitmap(width, height)
        select new Pixels(width, height, bitmap)).ToArbitrary();

    private static readonly Arbitrary<(RleMask A, RleMask B, RleMask C)> Three = (
        from width in Gen.Choose(1, 40)
        from height in Gen.Choose(1, 70)
        from a in Bitmap(width, height)
        from b in Bitmap(width, height)
        from c in Bitmap(width, height)
        select (new Pixels(width, height, a).Mask, new Pixels(width, height, b).Mask, new Pixels(width, height, c).Mask)).ToArbitrary();

    private static void Check<T>(Arbitrary<T> values, Func<T, bool> law) =>
        Prop.ForAll(values, law).Check(Config.QuickThrowOnFailure.WithMaxTest(400).WithReplay(2026, 5));

    [Fact]
    public void Decode_OfEncode_IsTheBitmap() =>
        Check(One, pixels => pixels.Mask.ToBitmap().AsSpan().SequenceEqual(pixels.Bitmap));

    [Fact]
    public void Text_ThereAndBack_IsUnchanged() => Check(One, pixels =>
    {
        string text = pixels.Mask.ToCocoString();
        RleMask back = RleMask.FromCocoString(text, pixels.Width, pixels.Height);
        return back == pixels.Mask && back.ToCocoString() == text;
    });

    [Fact]
    public void Area_ByRuns_IsTheNumberOfOnes() => Check(One, pixels => pixels.Mask.Area == pixels.Bitmap.Sum(pixel => pixel));

    [Fact]
    public void Polygons_ThereAndBack_AreTheMask() => Check(One, pixels =>
        Enum.GetValues<PixelConnectivity>().All(connectivity =>
            RleMask.FromContours(pixels.Mask.ToPolygons(connectivity), pixels.Width, pixels.Height) == pixels.Mask));

    [Fact]
    public void Components_Together_AreTheMask() => Check(One, pixels =>
        pixels.Mask.IsEmpty || RleMask.Union(pixels.Mask.ConnectedComponents()) == pixels.Mask);

    [Fact]
    public void Flips_Twice_AreTheMask() => Check(One, pixels =>
        pixels.Mask.FlipHorizontal().FlipHorizontal() == pixels.Mask
        && pixels.Mask.FlipVertical().FlipVertical() == pixels.Mask
        && pixels.Mask.FlipHorizontal().FlipVertical() == pixels.Mask.FlipVertical().FlipHorizontal());

    [Fact]
    public void Complement_Twice_IsTheMask() => Check(One, pixels =>
        pixels.Mask.Complement().Complement() == pixels.Mask
        && pixels.Mask.Complement().Area + pixels.Mask.Area == pixels.Bitmap.Length);

    [Fact]
    public void DeMorgan_HoldsForMasks() => Check(Three, masks =>
        masks.A.Union(masks.B).Complement() == masks.A.Complement().Intersection(masks.B.Complement())
        && masks.A.Intersection(masks.B).Complement() == masks.A.Complement().Union(masks.B.Complement()));

    [Fact]
    public void SetOperations_FollowTheLawsOfSets() => Check(Three, masks =>
    {
        (RleMask a, RleMask b, RleMask c) = masks;
        return a.Union(b) == b.Union(a) && a.Intersection(b) == b.Intersection(a)
            && a.Union(b).Union(c) == a.Union(b.Union(c))
            && a.Intersection(b.Union(c)) == a.Intersection(b).Union(a.Intersection(c))
            && a.Difference(b) == a.Intersection(b.Complement())
            && a.SymmetricDifference(b) == a.Union(b).Difference(a.Intersection(b))
            && a.Union(a) == a && a.Intersection(a) == a && a.Difference(a).IsEmpty;
    });

    [Fact]
    public void IntersectionOverUnion_IsSymmetricAndThatOfTheAreas() => Check(Three, masks =>
    {
        (RleMask a, RleMask b, _) = masks;
        long both = a.Intersection(b).Area, either = a.Union(b).Area;
        double expected = both == 0 ? 0 : both / (double)either;
        return a.IntersectionOverUnion(b) == expected && b.IntersectionOverUnion(a) == expected
            && a.IntersectionArea(b) == both && a.Area + b.Area == both + either
            && a.IntersectionOverUnion(b, otherIsCrowd: true) == (both == 0 ? 0 : both / (double)a.Area)
            && IouMatrix.Masks([a], [b])[0, 0] == expected;
    });

    [Fact]
    public void Dice_AndIntersectionOverSmaller_AreThoseOfTheAreas() => Check(Three, masks =>
    {
        (RleMask a, RleMask b, _) = masks;
        double both = a.Intersection(b).Area;
        return a.Dice(b) == (both == 0 ? 0 : 2 * both / (a.Area + b.Area)) && b.Dice(a) == a.Dice(b)
            && a.IntersectionOverSmaller(b) == (both == 0 ? 0 : both / Math.Min(a.Area, b.Area))
            && a.Intersection(b).IntersectionOverSmaller(a) == (both == 0 ? 0 : 1);
    });

    [Fact]
    public void Turns_FourTimes_AreTheMask() => Check(One, pixels =>
    {
        RleMask mask = pixels.Mask, turned = mask.RotateClockwise();
        return turned.RotateCounterclockwise() == mask && turned.RotateClockwise() == mask.Rotate180()
            && mask.Rotate180() == mask.FlipHorizontal().FlipVertical() && mask.Transpose().Transpose() == mask;
    });

    [Fact]
    public void Resize_ToAWholeMultipleAndBack_IsTheMask() => Check(One, pixels =>
        pixels.Mask.Resize(3 * pixels.Width, 2 * pixels.Height).Resize(pixels.Width, pixels.Height) == pixels.Mask
        && pixels.Mask.Resize(3 * pixels.Width, 2 * pixels.Height).Area == 6 * pixels.Mask.Area);

    [Fact]
    public void Morphology_FollowsItsLaws() => Check(One, pixels => Enum.GetValues<StructuringElement>().All(element =>
    {
        RleMask mask = pixels.Mask, opened = mask.Open(2, element), closed = mask.Close(2, element);
        RleMask framed = mask.Pad(3, 3, 3, 3);
        return framed.Complement().Dilate(2, element) == framed.Erode(2, element).Complement()
            && opened.Difference(mask).IsEmpty && mask.Difference(closed).IsEmpty
            && opened.Open(2, element) == opened && closed.Close(2, element) == closed;
    }));

    [Fact]
    public void Erosion_InTwoSteps_IsThatInOne() => Check(One, pixels =>
        pixels.Mask.Dilate(1).Dilate(2) == pixels.Mask.Dilate(3) &&
        pixels.Mask.Erode(1).Erode(2) == pixels.Mask.Erode(3)
        && pixels.Mask.Erode(1).Difference(pixels.Mask).IsEmpty);

    [Fact]
    public void Regions_AreUnchangedWhenCleanedAgain() => Check(One, pixels =>
    {
        RleMask filled = pixels.Mask.FillSmallHoles(6).Mask, kept = pixels.Mask.RemoveSmallRegions(6).Mask;
        return filled.FillSmallHoles(6) == (filled, false) && pixels.Mask.Difference(filled).IsEmpty
            && kept.RemoveSmallRegions(6).Mask == kept && kept.Difference(pixels.Mask).IsEmpty;
    });
}
