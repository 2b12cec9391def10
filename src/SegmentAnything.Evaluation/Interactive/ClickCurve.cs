namespace SegmentAnything.Evaluation;

/// <summary>How masks improve from click to click, over many objects.</summary>
/// <remarks>
/// An object whose clicks ended early, since nothing was wrong any more, keeps its last value. Source: RITM (Sofiiuk et al. 2021),
/// compute_noc_metric; Segment Anything (Kirillov et al. 2023), appendix D.1.
/// </remarks>
public sealed class ClickCurve
{
    private readonly double[][] _objects;

    /// <summary>Gathers the curves of objects.</summary>
    /// <param name="objects">For each object, intersection over union after each click.</param>
    /// <param name="maxClicks">How many clicks there may be; an object that never is good enough counts as so many.</param>
    /// <exception cref="ArgumentException">There is no object, or one has no click, more than allowed, or a value outside 0 to 1.</exception>
    public ClickCurve(IEnumerable<IReadOnlyList<double>> objects, int maxClicks = 20)
    {
        ArgumentNullException.ThrowIfNull(objects);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxClicks, 1);
        _objects = [.. objects.Select(values => values.ToArray())];
        MaxClicks = maxClicks;
        if (_objects.Length == 0) throw new ArgumentException("No object was clicked, so there is no curve.", nameof(objects));
        for (int i = 0; i < _objects.Length; i++)
        {
            if (_objects[i].Length < 1 || _objects[i].Length > maxClicks)
                throw new ArgumentException($"Object {i} has {_objects[i].Length} clicks. Give 1 to {maxClicks}.", nameof(objects));
            if (_objects[i].FirstOrDefault(value => !(value >= 0 && value <= 1), 0) is var wrong and not 0)
                throw new ArgumentException($"Object {i} has the intersection over union {wrong}. Give 0 to 1.", nameof(objects));
        }
    }

    /// <summary>How many clicks there may be.</summary>
    public int MaxClicks { get; }

    /// <summary>How many objects there are.</summary>
    public int Count => _objects.Length;

    /// <summary>The mean intersection over union after a number of clicks (mIoU).</summary>
    /// <param name="clicks">1 to <see cref="MaxClicks"/>.</param>
    public double MeanAfter(int clicks) => After(clicks).Average();

    /// <summary>Each object's intersection over union after a number of clicks.</summary>
    /// <param name="clicks">1 to <see cref="MaxClicks"/>.</param>
    public double[] After(int clicks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(clicks, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(clicks, MaxClicks);
        return [.. _objects.Select(values => values[Math.Min(clicks, values.Length) - 1])];
    }

    /// <summary>The mean over all numbers of clicks: the area under the curve.</summary>
    public double AreaUnderCurve => Enumerable.Range(1, MaxClicks).Average(MeanAfter);

    /// <summary>The number of clicks until a mask is good enough, for each object; <see cref="MaxClicks"/> where it never is.</summary>
    /// <param name="quality">Intersection over union, such as 0.9.</param>
    public int[] ClicksUntil(double quality) => [.. _objects.Select(values => FirstAt(values, quality) is { } click ? click : MaxClicks)];

    /// <summary>The mean of <see cref="ClicksUntil"/>, such as NoC@90.</summary>
    /// <param name="quality">Intersection over union, such as 0.9.</param>
    public double MeanClicksUntil(double quality) => ClicksUntil(quality).Average();

    /// <summary>How many objects never were good enough.</summary>
    /// <param name="quality">Intersection over union, such as 0.9.</param>
    public int NeverReached(double quality) => _objects.Count(values => FirstAt(values, quality) is null);

    /// <summary>How many objects needed the last click or never were good enough, as RITM counts failures (NoF).</summary>
    /// <param name="quality">Intersection over union, such as 0.9.</param>
    public int AtLimit(double quality) => ClicksUntil(quality).Count(clicks => clicks == MaxClicks);

    private static int? FirstAt(double[] values, double quality)
    {
        int place = Array.FindIndex(values, value => value >= quality);
        return place < 0 ? null : place + 1;
    }
}
