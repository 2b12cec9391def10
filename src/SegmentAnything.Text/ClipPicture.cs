namespace SegmentAnything.Text;

/// <summary>From a picture to what CLIP's vision model takes.</summary>
/// <remarks>Source: openai/CLIP, clip.py (_transform).</remarks>
internal static class ClipPicture
{
    public static readonly float[] Mean = [0.48145466f, 0.4578275f, 0.40821073f];
    public static readonly float[] Deviation = [0.26862954f, 0.26130258f, 0.27577711f];

    /// <summary>The middle square of the picture, its shorter side resized to the side asked for.</summary>
    /// <returns>Red, green and blue bytes, row-major.</returns>
    public static byte[] Crop(PixelBuffer picture, int side)
    {
        // A copy as red-green-blue bytes: the picture may have any format.
        PixelBuffer rgb = picture.ResizeToRgb(picture.Width, picture.Height);
        int shorter = Math.Min(rgb.Width, rgb.Height);
        int width = rgb.Width == shorter ? side : (int)((long)side * rgb.Width / shorter);
        int height = rgb.Height == shorter ? side : (int)((long)side * rgb.Height / shorter);
        byte[] resized = BicubicResize.Resize(rgb.Memory.Span, rgb.Width, rgb.Height, rgb.Stride, width, height);
        // Half a pixel goes to the even side, as in Python.
        int left = (int)Math.Round((width - side) / 2.0, MidpointRounding.ToEven), top = (int)Math.Round((height - side) / 2.0, MidpointRounding.ToEven);
        byte[] crop = new byte[3 * side * side];
        for (int y = 0; y < side; y++)
            resized.AsSpan(3 * (((y + top) * width) + left), 3 * side).CopyTo(crop.AsSpan(3 * y * side));
        return crop;
    }

    /// <summary>Writes a crop as planes: a byte's part of 255, less the mean, by the deviation.</summary>
    public static void Normalize(ReadOnlySpan<byte> crop, int side, Span<float> planes)
    {
        int plane = side * side;
        for (int c = 0; c < 3; c++)
        {
            for (int i = 0; i < plane; i++) planes[(c * plane) + i] = ((crop[(3 * i) + c] / 255f) - Mean[c]) / Deviation[c];
        }
    }
}
