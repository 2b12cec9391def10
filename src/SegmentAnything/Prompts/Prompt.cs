using System.Collections.Immutable;
using SegmentAnything.Rle;

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
    private Prompt(
        ImmutableArray<PointPrompt> points, global::SegmentAnything.Box? box, ReadOnlyMemory<float> maskLogits = default, RleMask? maskInSource = null)
    {
        Points = points;
        BoxInSource = box;
        MaskLogits = maskLogits;
        MaskInSource = maskInSource;
    }

    /// <summary>The points, in the order they were given.</summary>
    public ImmutableArray<PointPrompt> Points { get; }

    /// <summary>
    /// The box around the object, or null. An edge may lie outside the image by 5 % of the side
    /// (<see cref="PromptEncoder.BoxTolerance"/>), as detectors' boxes do; it is then moved to the image's edge.
    /// </summary>
    public Box? BoxInSource { get; }

    /// <summary>
    /// Low-resolution logits of a rough mask (256 x 256, row-major, in the model's padded frame, as
    /// <see cref="PredictedMask.LowResLogits"/> gives them), or empty.
    /// </summary>
    public ReadOnlyMemory<float> MaskLogits { get; }

    /// <summary>
    /// A rough mask of the object over the whole image, or null; its size may be another than the image's, its shape must be the
    /// same. When the prompt is encoded it becomes low-resolution logits, and where there is no box it brings its own along: a mask
    /// alone says next to nothing to the models. docs/mask-prompts.md has what was tried.
    /// </summary>
    public RleMask? MaskInSource { get; }

    /// <summary>Whether there is a rough mask, as logits or binary.</summary>
    public bool HasMask => !MaskLogits.IsEmpty || MaskInSource is not null;

    /// <summary>Whether the prompt says nothing at all.</summary>
    public bool IsEmpty => Points.IsEmpty && BoxInSource is null && !HasMask;

    /// <summary>
    /// Whether one point is all there is: then a part, a subpart or the whole may be meant, and the model's three masks
    /// are of use. Source: Kirillov et al. 2023, section 3, "Resolving ambiguity".
    /// </summary>
    public bool IsAmbiguous => Points.Length == 1 && BoxInSource is null && !HasMask;

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
        return new Prompt([.. points], null);
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
    public static Prompt FromBox(Box box) => new([], CheckBox(box));

    /// <summary>A prompt of a rough mask alone.</summary>
    /// <param name="lowResLogits">See <see cref="MaskLogits"/>. The memory is not copied and must stay unchanged.</param>
    /// <exception cref="ArgumentException">The mask is empty.</exception>
    public static Prompt Mask(ReadOnlyMemory<float> lowResLogits) => new([], null, CheckMask(lowResLogits));

    /// <summary>A prompt of a rough mask alone: a binary one, such as an annotation, a threshold, or another model's mask.</summary>
    /// <param name="mask">See <see cref="MaskInSource"/>.</param>
    /// <exception cref="ArgumentException">The mask has no foreground.</exception>
    public static Prompt Mask(RleMask mask) => new([], null, maskInSource: CheckMask(mask));

    /// <summary>Adds a point.</summary>
    /// <param name="x">To the right, in source-image pixels.</param>
    /// <param name="y">Down, in source-image pixels.</param>
    /// <param name="foreground">Whether the point lies on the object.</param>
    /// <exception cref="ArgumentOutOfRangeException">A coordinate is not a finite number.</exception>
    public Prompt AndPoint(float x, float y, bool foreground = true) =>
        new(Points.Add(NewPoint(x, y, foreground)), BoxInSource, MaskLogits, MaskInSource);

    /// <summary>Adds the box, or takes the place of the one there was: an object has one box.</summary>
    /// <param name="x0">Left, in source-image pixels.</param>
    /// <param name="y0">Top.</param>
    /// <param name="x1">Right, not less than <paramref name="x0"/>.</param>
    /// <param name="y1">Bottom, not less than <paramref name="y0"/>.</param>
    /// <exception cref="ArgumentException">A coordinate is not a finite number, or the corners are reversed.</exception>
    public Prompt AndBox(float x0, float y0, float x1, float y1) =>
        new(Points, CheckBox(new Box(x0, y0, x1, y1)), MaskLogits, MaskInSource);

    /// <summary>Adds a rough mask, such as the one that the last prediction gave, or takes the place of the one there was.</summary>
    /// <param name="lowResLogits">See <see cref="MaskLogits"/>. The memory is not copied and must stay unchanged.</param>
    /// <exception cref="ArgumentException">The mask is empty.</exception>
    public Prompt AndMask(ReadOnlyMemory<float> lowResLogits) => new(Points, BoxInSource, CheckMask(lowResLogits));

    /// <summary>Adds a binary mask of the object, or takes the place of the mask there was.</summary>
    /// <param name="mask">See <see cref="MaskInSource"/>.</param>
    /// <exception cref="ArgumentException">The mask has no foreground.</exception>
    public Prompt AndMask(RleMask mask) => new(Points, BoxInSource, maskInSource: CheckMask(mask));

    /// <summary>Says what the prompt consists of.</summary>
    public override string ToString()
    {
        List<string> parts = [];
        parts.AddRange(Points.Select(p => $"{(p.Label == PointLabel.Foreground ? "+" : "-")}({p.X}, {p.Y})"));
        if (BoxInSource is { } box) parts.Add($"box ({box.X0}, {box.Y0})-({box.X1}, {box.Y1})");
        if (HasMask) parts.Add("mask");
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

    private static RleMask CheckMask(RleMask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return mask.IsEmpty ? throw new ArgumentException($"The mask of {mask.Width}x{mask.Height} pixels has no foreground: it shows no object.", nameof(mask)) : mask;
    }
}
