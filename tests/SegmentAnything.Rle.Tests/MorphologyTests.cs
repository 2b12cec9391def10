namespace SegmentAnything.Rle.Tests;

/// <summary>Growing and shrinking, against plain loops over pixels.</summary>
public class MorphologyTests
{
    private static readonly int[] Radii = [0, 1, 2, 3, 5, 12];

    [Theory]
    [InlineData(StructuringElement.Square)]
    [InlineData(StructuringElement.Disk)]
    public void EveryOperation_OfEveryMask_IsThatOfItsDefinition(StructuringElement element)
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 1100))
        {
            foreach (int radius in Radii.Where(radius => radius < 5 || bitmap.Length < 300))
            {
                Check(Grow, mask.Dilate(radius, element), "dilated");
                Check(Shrink, mask.Erode(radius, element), "eroded");
                Check((plane, r) => Grow(Shrink(plane, r), r), mask.Open(radius, element), "opened");
                Check((plane, r) => Shrink(Grow(plane, r), r), mask.Close(radius, element), "closed");

                void Check(Func<Plane, int, Plane> definition, RleMask found, string what)
                {
                    // With room for all that an operation can reach: outside the mask all is background.
                    byte[] expected = definition(Plane.Of(bitmap, mask.Width, mask.Height, (2 * radius) + 1), radius).Frame();
                    Assert.True(expected.AsSpan().SequenceEqual(found.ToBitmap()), $"{name} {what}, radius {radius}");
                }
            }
        }

        Plane Grow(Plane plane, int radius) => plane.Each(radius, element, any: true);

        Plane Shrink(Plane plane, int radius) => plane.Each(radius, element, any: false);
    }

    [Fact]
    public void Dilate_FartherThanTheMaskIsLarge_IsFull()
    {
        RleMask dot = MaskData.Mask(30, 40, (x, y) => (x, y) == (0, 0));
        Assert.Equal(RleMask.Full(30, 40), dot.Dilate(39));
        Assert.Equal(RleMask.Full(30, 40), dot.Dilate(int.MaxValue));
        Assert.Equal(RleMask.Full(30, 40), dot.Dilate(49, StructuringElement.Disk)); // 29^2 + 39^2 = 48.6^2
        Assert.Equal(RleMask.Full(30, 40), dot.Dilate(int.MaxValue, StructuringElement.Disk));
        Assert.False(dot.Dilate(48, StructuringElement.Disk)[29, 39]);
        Assert.True(RleMask.Empty(30, 40).Dilate(7).IsEmpty);
        Assert.Equal(dot, dot.Close(5));
    }

    [Fact]
    public void Arguments_OutOfRange_AreRefused()
    {
        foreach (Action<RleMask> call in new Action<RleMask>[]
        {
            mask => mask.Dilate(-1), mask => mask.Erode(-1), mask => mask.Open(-1), mask => mask.Close(-1),
            mask => mask.Dilate(1, (StructuringElement)2), mask => mask.Erode(1, (StructuringElement)2),
        })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => call(RleMask.Full(3, 3)));
        }

        Assert.Throws<RleFormatException>(() => RleMask.Full(3, 3).Close(int.MaxValue / 2));
    }

    // A bitmap with background around it.
    private sealed record Plane(byte[] Pixels, int Width, int Height, int Margin)
    {
        public static Plane Of(byte[] bitmap, int width, int height, int margin)
        {
            int outerWidth = width + (2 * margin), outerHeight = height + (2 * margin);
            var plane = new Plane(new byte[outerWidth * outerHeight], outerWidth, outerHeight, margin);
            for (int y = 0; y < height; y++)
                bitmap.AsSpan(y * width, width).CopyTo(plane.Pixels.AsSpan(((y + margin) * outerWidth) + margin));
            return plane;
        }

        public byte[] Frame() => MaskData.Make(
            Width - (2 * Margin), Height - (2 * Margin), (x, y) => Pixels[((y + Margin) * Width) + x + Margin] != 0);

        // Whether any or all of the neighbourhood is foreground.
        public Plane Each(int radius, StructuringElement element, bool any) => this with
        {
            Pixels = MaskData.Make(Width, Height, (x, y) =>
            {
                for (int dy = -radius; dy <= radius; dy++)
                {
                    for (int dx = -radius; dx <= radius; dx++)
                    {
                        if (element == StructuringElement.Disk && (dx * dx) + (dy * dy) > radius * radius) continue;
                        bool isInside = x + dx >= 0 && y + dy >= 0 && x + dx < Width && y + dy < Height;
                        if ((isInside && Pixels[((y + dy) * Width) + x + dx] != 0) == any) return any;
                    }
                }

                return !any;
            }),
        };
    }
}
