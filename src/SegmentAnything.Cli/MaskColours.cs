namespace SegmentAnything.Cli;

/// <summary>Colours that are easy to tell apart, one for each mask.</summary>
internal static class MaskColours
{
    /// <summary>The colour of a mask by its number: red, green, blue.</summary>
    /// <remarks>The hue turns by the golden ratio from one to the next, so that neighbours never look alike.</remarks>
    public static (byte R, byte G, byte B) Of(int index)
    {
        double hue = (0.58 + (index * 0.618033988749895)) % 1;
        double value = (index / 7 % 2) == 0 ? 1.0 : 0.78;
        return (Channel(hue + (1 / 3.0), value), Channel(hue, value), Channel(hue - (1 / 3.0), value));
    }

    // Hue to one channel, at full saturation less a quarter.
    private static byte Channel(double hue, double value)
    {
        hue -= Math.Floor(hue);
        double full = Math.Clamp(2 - (Math.Abs(hue - (1 / 3.0)) * 6), 0, 1);
        return (byte)Math.Round(255 * value * (0.25 + (0.75 * full)));
    }
}
