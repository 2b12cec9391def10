namespace SegmentAnything.Imaging;

/// <summary>One object of <see cref="StillLife"/>.</summary>
public sealed class StillLifeObject
{
    internal StillLifeObject(string name, float clickX, float clickY, byte[] mask, int width, int height)
    {
        Name = name;
        (ClickX, ClickY) = (clickX, clickY);
        Mask = mask;
        (int x0, int y0, int x1, int y1) = (width, height, -1, -1);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                if (mask[(y * width) + x] == 0) continue;
                (x0, y0, x1, y1) = (Math.Min(x0, x), Math.Min(y0, y), Math.Max(x1, x), Math.Max(y1, y));
            }
        }

        Box = Box.FromXyxy(x0, y0, x1 + 1, y1 + 1);
    }

    /// <summary>What it is: <c>book</c>, <c>mug</c>, <c>ball</c> or <c>pear</c>.</summary>
    public string Name { get; }

    /// <summary>Where one would click on it: pixels from the left.</summary>
    public float ClickX { get; }

    /// <summary>Where one would click on it: pixels from the top.</summary>
    public float ClickY { get; }

    /// <summary>The box around its visible part, in pixels; the right and lower sides lie behind the last pixel.</summary>
    public Box Box { get; }

    /// <summary>Its visible part: 1 where more than half of the pixel is covered, else 0; rows from the top, width * height values.</summary>
    public byte[] Mask { get; }
}
