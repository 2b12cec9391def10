using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>
/// What the user says of one object: points on and off it, a box around it, a rough mask of it, or any of these together.
/// Coordinates are source-image pixels, x then y.
/// </summary>
/// <remarks>
/// Immutable: each <c>And…</c> method returns a new prompt.
/// <code>
/// Prompt cup = Prompt.Box(425, 600, 700, 875).AndPoint(575, 750, foreground: false);
/// </code>
/// Whether the coordinates lie within the image is checked when the prompt is encoded for one.
/// </remarks>
public sealed class Prompt
{
    private Prompt(ImmutableArray<PointPrompt> points, global::SegmentAnything.Box? box, ReadOnlyMemory<float> maskLogits)
    {
        Points = points;
        BoxInSource = box;
        MaskLogits = maskLogits;
    }

    /// <summary>The points, in the order they were given.</summary>
    public ImmutableArray<PointPrompt> Points { get; }

    /// <summary>The box around the object, or null.</summary>
    public Box? BoxInSource { get; }

    /// <summary>
    /// Low-resolution logits of a rough mask (256 x 256, row-major, in the model's padded frame, as
    /// <see cref="PredictedMask.LowResLogits"/> gives them), or empty.
    /// </summary>
    public ReadOnlyMemory<float> MaskLogits { get; }

    /// <summary>Whether the prompt says nothing at all.</summary>
    public bool IsEmpty => Points.IsEmpty && BoxInSource is null && MaskLogits.IsEmpty;

    /// <summary>
    /// Whether one point is all there is: then a part, a subpart or the whole may be meant, and the model's three masks
    /// are of use. Source: Kirillov et al. 2023, section 3, "Resolving ambiguity".
    /// </summary>
    public bool IsAmbiguous => Points.Length == 1 && BoxInSource is null && MaskLogits.IsEmpty;

    /// <summary>A prompt of one point.</summary>
    /// <param name="x">To the right, in source-image pixels.</param>
    /// <param name="y">Down, in source-image pixels.</param>
    /// <param name="foreground">Whether the point lies on the object.</param>
    /// <exception cref="ArgumentOutOfRangeException">A coordinate is not a finite number.</exception>
    public static Prompt Point(float x, float y, bool foreground = true) => FromPoints([NewPoint(x, y, foreground)]);

    /// <summary>A prompt of several points on and off one object.</summary>
    /// <exception cref="ArgumentException">There is no point, or a coordinate is not a finite number.</exception>
    public static Prompt FromPoints(params ReadOnlySpan<PointPrompt> points)
    {
        if (points.IsEmpty) throw new ArgumentException("A prompt needs at least one point.", nameof(points));
        foreach (PointPrompt point in points) CheckPoint(point);
        return new Prompt([.. points], null, default);
    }

    /// <summary>A prompt of one box.</summary>
    /// <param name="x0">Left, in source-image pixels.</param>
    /// <param name="y0">Top.</param>
    /// <param name="x1">Right, not less than <paramref name="x0"/>.</param>
    /// <param name="y1">Bottom, not less than <paramref name="y0"/>.</param>
    /// <exception cref="ArgumentException">A coordinate is not a finite number, or the corners are reversed.</exception>
    public static Prompt Box(float x0, float y0, float x1, float y1) => FromBox(new Box(x0, y0, x1, y1));

    /// <summary>A prompt of one box.</summary>
    /// <exception cref="ArgumentException">A coordinate is not a finite number, or the corners are reversed.</exception>
    public static Prompt FromBox(Box box) => new([], CheckBox(box), default);

    /// <summary>A prompt of a rough mask alone.</summary>
    /// <param name="lowResLogits">See <see cref="MaskLogits"/>. The memory is not copied and must stay unchanged.</param>
    /// <exception cref="ArgumentException">The mask is empty.</exception>
    public static Prompt Mask(ReadOnlyMemory<float> lowResLogits) => new([], null, CheckMask(lowResLogits));

    /// <summary>Adds a point.</summary>
    /// <param name="x">To the right, in source-image pixels.</param>
    /// <param name="y">Down, in source-image pixels.</param>
    /// <param name="foreground">Whether the point lies on the object.</param>
    /// <exception cref="ArgumentOutOfRangeException">A coordinate is not a finite number.</exception>
    public Prompt AndPoint(float x, float y, bool foreground = true) =>
        new(Points.Add(NewPoint(x, y, foreground)), BoxInSource, MaskLogits);

    /// <summary>Adds the box, or takes the place of the one there was: an object has one box.</summary>
    /// <param name="x0">Left, in source-image pixels.</param>
    /// <param name="y0">Top.</param>
    /// <param name="x1">Right, not less than <paramref name="x0"/>.</param>
    /// <param name="y1">Bottom, not less than <paramref name="y0"/>.</param>
    /// <exception cref="ArgumentException">A coordinate is not a finite number, or the corners are reversed.</exception>
    public Prompt AndBox(float x0, float y0, float x1, float y1) =>
        new(Points, CheckBox(new Box(x0, y0, x1, y1)), MaskLogits);

    /// <summary>Adds a rough mask, such as the one that the last prediction gave, or takes the place of the one there was.</summary>
    /// <param name="lowResLogits">See <see cref="MaskLogits"/>. The memory is not copied and must stay unchanged.</param>
    /// <exception cref="ArgumentException">The mask is empty.</exception>
    public Prompt AndMask(ReadOnlyMemory<float> lowResLogits) => new(Points, BoxInSource, CheckMask(lowResLogits));

    /// <summary>Says what the prompt consists of.</summary>
    public override string ToString()
    {
        List<string> parts = [];
        parts.AddRange(Points.Select(p => $"{(p.Label == PointLabel.Foreground ? "+" : "-")}({p.X}, {p.Y})"));
        if (BoxInSource is { } box) parts.Add($"box ({box.X0}, {box.Y0})-({box.X1}, {box.Y1})");
        if (!MaskLogits.IsEmpty) parts.Add("mask");
        return string.Join(" ", parts);
    }

    private static PointPrompt NewPoint(float x, float y, bool foreground) =>
        CheckPoint(new PointPrompt(x, y, foreground ? PointLabel.Foreground : PointLabel.Background));

    private static PointPrompt CheckPoint(PointPrompt point)
    {
        if (!float.IsFinite(point.X) || !float.IsFinite(point.Y))
            throw new ArgumentOutOfRangeException(nameof(point), $"A point at ({point.X}, {point.Y}) is nowhere: both coordinates must be finite numbers.");
        if (point.Label is not (PointLabel.Foreground or PointLabel.Background))
            throw new ArgumentOutOfRangeException(nameof(point), $"A point's label is Foreground or Background, not {point.Label}.");
        return point;
    }

    private static Box CheckBox(Box box)
    {
        if (!float.IsFinite(box.X0) || !float.IsFinite(box.Y0) || !float.IsFinite(box.X1) || !float.IsFinite(box.Y1))
        {
            throw new ArgumentOutOfRangeException(nameof(box),
                $"The box ({box.X0}, {box.Y0})-({box.X1}, {box.Y1}) is nowhere: all coordinates must be finite numbers.");
        }

        if (box.X1 < box.X0 || box.Y1 < box.Y0)
        {
            throw new ArgumentException(
                $"The box ({box.X0}, {box.Y0})-({box.X1}, {box.Y1}) has reversed corners: give left, top, right, bottom "
                + $"(here {Math.Min(box.X0, box.X1)}, {Math.Min(box.Y0, box.Y1)}, {Math.Max(box.X0, box.X1)}, {Math.Max(box.Y0, box.Y1)}?).",
                nameof(box));
        }

        return box;
    }

    private static ReadOnlyMemory<float> CheckMask(ReadOnlyMemory<float> lowResLogits) => lowResLogits.IsEmpty
        ? throw new ArgumentException("The mask is empty: give the low-resolution logits of an earlier prediction.", nameof(lowResLogits))
        : lowResLogits;
}
