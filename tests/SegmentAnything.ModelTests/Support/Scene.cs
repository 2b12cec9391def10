using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.ModelTests;

/// <summary>The still life as pixels and masks: a picture that every machine has.</summary>
internal static class Scene
{
    public static PixelBuffer Pixels { get; } = StillLife.Image.ToPixelBuffer();

    public static (StillLifeObject Object, RleMask Mask) Find(string name)
    {
        StillLifeObject found = StillLife.Objects.Single(o => o.Name == name);
        return (found, RleMask.FromBitmap(found.Mask, StillLife.Width, StillLife.Height));
    }
}
