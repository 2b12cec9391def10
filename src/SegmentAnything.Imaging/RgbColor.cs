namespace SegmentAnything.Imaging;

/// <summary>A colour: red, green and blue, 0 to 255 each, in sRGB.</summary>
/// <param name="R">Red.</param>
/// <param name="G">Green.</param>
/// <param name="B">Blue.</param>
public readonly record struct RgbColor(byte R, byte G, byte B)
{
    /// <summary>The colour of a label: one for each number, neighbours easy to tell apart.</summary>
    /// <param name="label">The number of a mask, an instance or a category, from 0.</param>
    /// <returns>Always the same colour for a number, so that one object has one colour in every drawing, frame and export.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The label is negative.</exception>
    /// <remarks>The hue turns by the golden ratio from one to the next; every seven labels the colours get darker or lighter.</remarks>
    public static RgbColor OfLabel(int label)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(label);
        double hue = (0.58 + (label * 0.618033988749895)) % 1;
        double value = (label / 7 % 2) == 0 ? 1.0 : 0.78;
        return new RgbColor(Channel(hue + (1 / 3.0), value), Channel(hue, value), Channel(hue - (1 / 3.0), value));
    }

    /// <summary>The colour as CSS and SVG write it, such as <c>#1e90ff</c>.</summary>
    public override string ToString() => $"#{R:x2}{G:x2}{B:x2}";

    // Hue to one channel, at full saturation less a quarter.
    private static byte Channel(double hue, double value)
    {
        hue -= Math.Floor(hue);
        double full = Math.Clamp(2 - (Math.Abs(hue - (1 / 3.0)) * 6), 0, 1);
        return (byte)Math.Round(255 * value * (0.25 + (0.75 * full)));
    }
}
