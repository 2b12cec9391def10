namespace SegmentAnything.Imaging;

/// <summary>How <see cref="MaskDrawing"/> draws masks.</summary>
public sealed record DrawingOptions
{
    /// <summary>Colours by number, a tint of 45 % and an outline that suits the picture's size.</summary>
    public static DrawingOptions Default { get; } = new();

    /// <summary>How much of a mask's inside is its colour and not the picture: 0 for none, 1 for all. Default 0.45.</summary>
    public float FillOpacity { get; init; } = 0.45f;

    /// <summary>
    /// Width of the outline in pixels, inside the mask; 0 for none. Default null: the picture's longer side divided by 400, from 1 to 6.
    /// </summary>
    public int? OutlineThickness { get; init; }

    /// <summary>The colour of each mask, by its place in the list. Default <see cref="RgbColor.OfLabel"/>.</summary>
    /// <remarks>For colours by category or by track, look the category or the track of the mask up here.</remarks>
    public Func<int, RgbColor> Color { get; init; } = RgbColor.OfLabel;

    internal int ThicknessFor(int width, int height) =>
        OutlineThickness ?? Math.Clamp((int)Math.Round(Math.Max(width, height) / 400.0), 1, 6);

    internal void Validate()
    {
        if (!(FillOpacity >= 0 && FillOpacity <= 1))
            throw new ArgumentOutOfRangeException(nameof(FillOpacity), FillOpacity, "FillOpacity is 0 (none) to 1 (all).");
        if (OutlineThickness is < 0 or > PixelBuffer.MaxSide)
            throw new ArgumentOutOfRangeException(nameof(OutlineThickness), OutlineThickness, $"OutlineThickness is 0 (none) to {PixelBuffer.MaxSide} pixels.");
        if (Color is null) throw new ArgumentException("Color is null; leave it out for RgbColor.OfLabel.", nameof(Color));
    }
}
