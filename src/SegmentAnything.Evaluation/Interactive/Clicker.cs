using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation;

/// <summary>A click of a simulated person.</summary>
/// <param name="X">Column of the pixel.</param>
/// <param name="Y">Row of the pixel.</param>
/// <param name="IsPositive">Whether it is on what is missing; else on what is too much.</param>
public readonly record struct Click(int X, int Y, bool IsPositive);

/// <summary>
/// A simulated person who sees a mask grow: clicks where the error is thickest, on what is missing or on what is too much.
/// </summary>
/// <remarks>
/// Each click is the pixel farthest from the outside of the region that is missing, or of the one that is too much if that reaches
/// as far or farther; the image's border is outside, a pixel is clicked once, the first in reading order wins. When all that is
/// wrong was clicked in vain, the official code clicks the top left pixel as too much, again and again, and so does this one.
/// Source: RITM (Sofiiuk et al. 2021), Clicker; used by Segment Anything (Kirillov et al. 2023), appendix D.1. Not thread-safe.
/// </remarks>
public sealed class Clicker
{
    private static readonly Click AllClicked = new(0, 0, IsPositive: false);

    private readonly RleMask _groundTruth;
    private readonly RleMask _counted;
    private readonly List<Click> _clicks = [];

    /// <summary>Begins with an object.</summary>
    /// <param name="groundTruth">The object's mask.</param>
    /// <param name="ignored">Pixels that are neither right nor wrong; none when null.</param>
    /// <exception cref="ArgumentException">The object is empty, or the sizes differ.</exception>
    public Clicker(RleMask groundTruth, RleMask? ignored = null)
    {
        ArgumentNullException.ThrowIfNull(groundTruth);
        if (groundTruth.IsEmpty) throw new ArgumentException("The object is empty, so nothing can be clicked.", nameof(groundTruth));
        if (ignored is not null) CheckSize(ignored, groundTruth, nameof(ignored));
        _counted = ignored?.Complement() ?? RleMask.Full(groundTruth.Width, groundTruth.Height);
        _groundTruth = groundTruth.Intersection(_counted);
    }

    /// <summary>The clicks so far.</summary>
    public IReadOnlyList<Click> Clicks => _clicks;

    /// <summary>Clicks once more.</summary>
    /// <param name="prediction">The mask that the clicks so far gave; null before the first.</param>
    /// <returns>The click, or null when nothing is wrong any more.</returns>
    /// <exception cref="ArgumentException">The prediction has another size than the object.</exception>
    public Click? Next(RleMask? prediction)
    {
        RleMask seen = prediction ?? RleMask.Empty(_groundTruth.Width, _groundTruth.Height);
        CheckSize(seen, _groundTruth, nameof(prediction));
        seen = seen.Intersection(_counted);
        (int missingX, int missingY, long missing) = Farthest(_groundTruth.Difference(seen));
        (int extraX, int extraY, long extra) = Farthest(seen.Difference(_groundTruth));
        if (missingX < 0 && extraX < 0) return null;
        Click click = missing > extra
            ? new(missingX, missingY, IsPositive: true)
            : extra > 0 ? new(extraX, extraY, IsPositive: false) : AllClicked;
        _clicks.Add(click);
        return click;
    }

    /// <summary>Takes a click that was made otherwise, such as a random first one.</summary>
    /// <param name="click">A pixel of the image.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is outside.</exception>
    public void Record(Click click)
    {
        bool inside = (uint)click.X < (uint)_groundTruth.Width && (uint)click.Y < (uint)_groundTruth.Height;
        if (!inside)
        {
            throw new ArgumentOutOfRangeException(
                nameof(click), click, $"The click is outside of the image, which has {_groundTruth.Width}x{_groundTruth.Height} pixels.");
        }

        _clicks.Add(click);
    }

    /// <summary>Intersection over union of a prediction and the object, where pixels count.</summary>
    /// <param name="prediction">A mask of the object's size.</param>
    /// <exception cref="ArgumentException">The prediction has another size than the object.</exception>
    public double IntersectionOverUnion(RleMask prediction)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        CheckSize(prediction, _groundTruth, nameof(prediction));
        return prediction.Intersection(_counted).IntersectionOverUnion(_groundTruth);
    }

    private (int X, int Y, long Squared) Farthest(RleMask error)
    {
        if (error.IsEmpty) return (-1, -1, 0);
        (int x, int y) = error.LargestInscribedPoint(out double distance);
        if (!WasClicked(x, y)) return (x, y, (long)Math.Round(distance * distance));

        // The thickest place was clicked in vain: all distances are needed to find the next.
        MaskBox box = error.BoundingBox;
        long[] squared = DistanceTransform.Squared(error, box);
        foreach (Click click in _clicks)
        {
            int column = click.X - box.X, row = click.Y - box.Y;
            if ((uint)column < (uint)box.Width && (uint)row < (uint)box.Height) squared[(row * box.Width) + column] = 0;
        }

        long most = squared.Max();
        int place = Array.IndexOf(squared, most);
        return (box.X + (place % box.Width), box.Y + (place / box.Width), most);
    }

    private bool WasClicked(int x, int y) => _clicks.Any(click => click.X == x && click.Y == y);

    private static void CheckSize(RleMask mask, RleMask groundTruth, string name)
    {
        if (mask.Width == groundTruth.Width && mask.Height == groundTruth.Height) return;
        throw new ArgumentException(
            $"A mask of {mask.Width}x{mask.Height} pixels was given for an object in {groundTruth.Width}x{groundTruth.Height}.", name);
    }
}
