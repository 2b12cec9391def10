using System.Globalization;
using System.Text;
using SegmentAnything.Evaluation;

namespace SegmentAnything.Tasks;

/// <summary>An object that was evaluated: where it is from, and what the clicks gave.</summary>
/// <param name="Set">The data set, or the model, that it counts for.</param>
/// <param name="ImageId">Its image: objects of one image depend on each other.</param>
/// <param name="ObjectId">Its number.</param>
/// <param name="Result">What the clicks gave.</param>
/// <param name="Group">A group to be told apart, such as the value of a column; null when there are none.</param>
public sealed record EvaluatedObject(string Set, long ImageId, long ObjectId, SimulatedObject Result, string? Group = null);

/// <summary>How well clicks segment the objects of one or several sets.</summary>
/// <remarks>
/// The headline is the mean over sets of each set's mean, as the paper reports it: a large set counts no more than a small one.
/// Source: Kirillov et al. 2023, section 7.1, tables 2 and 6.
/// </remarks>
public sealed class ClickReport
{
    private static readonly int[] Numbers = [1, 2, 3, 5, 9];
    private static readonly double[] Qualities = [0.85, 0.90, 0.95];

    private readonly EvaluatedObject[] _objects;
    private readonly (string Name, EvaluatedObject[] Objects, ClickCurve Curve)[] _sets;

    /// <summary>Gathers objects.</summary>
    /// <param name="objects">The objects of all sets.</param>
    /// <param name="maxClicks">How many clicks there could be; one that never is good enough counts as so many.</param>
    /// <exception cref="ArgumentException">There is no object, or one has more rounds than that.</exception>
    public ClickReport(IEnumerable<EvaluatedObject> objects, int maxClicks = 20)
    {
        ArgumentNullException.ThrowIfNull(objects);
        _objects = [.. objects];
        if (_objects.Length == 0) throw new ArgumentException("No object was evaluated, so there is nothing to report.", nameof(objects));
        MaxClicks = maxClicks;
        _sets = [.. _objects.GroupBy(o => o.Set).Select(set => (set.Key, set.ToArray(), new ClickCurve(set.Select(o => o.Result.Qualities), maxClicks)))];
    }

    /// <summary>How many clicks there could be.</summary>
    public int MaxClicks { get; }

    /// <summary>The names of the sets, in the order of their first objects.</summary>
    public IReadOnlyList<string> Sets => [.. _sets.Select(set => set.Name)];

    /// <summary>The curve of a set.</summary>
    /// <param name="set">Its name.</param>
    /// <exception cref="ArgumentException">There is no such set.</exception>
    public ClickCurve CurveOf(string set)
    {
        foreach ((string name, _, ClickCurve curve) in _sets)
        {
            if (name == set) return curve;
        }

        throw new ArgumentException($"No set '{set}' was evaluated. There are {string.Join(", ", Sets)}.", nameof(set));
    }

    /// <summary>The mean over sets of the mean intersection over union after a number of clicks.</summary>
    /// <param name="clicks">1 to <see cref="MaxClicks"/>.</param>
    public double MeanAfter(int clicks) => _sets.Average(set => set.Curve.MeanAfter(clicks));

    /// <summary>The mean after a number of clicks of each group, with a 95 % interval of a bootstrap over images.</summary>
    /// <param name="clicks">1 to <see cref="MaxClicks"/>.</param>
    public IReadOnlyList<(string Group, int Count, Estimate Mean)> Groups(int clicks) =>
    [
        .. _objects.Where(o => o.Group is not null).GroupBy(o => o.Group!).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group =>
        {
            EvaluatedObject[] members = [.. group];
            double[] values = new ClickCurve(members.Select(o => o.Result.Qualities), MaxClicks).After(clicks);
            return (group.Key, members.Length, SampleStatistics.Bootstrap(values, [.. members.Select(o => o.ImageId)]));
        }),
    ];

    /// <summary>The report as a Markdown table: a row a set, and one of their mean where there are several.</summary>
    public string ToMarkdown()
    {
        int[] numbers = [.. Numbers.Where(number => number <= MaxClicks)];
        var text = new StringBuilder();
        text.Append($"| set | objects |{string.Concat(numbers.Select(n => $" mIoU@{n} |"))} oracle@1 |{string.Concat(Qualities.Select(q => $" NoC@{q * 100:0} |"))} never 0.9 | ms a click |\n");
        text.Append($"|---|---:|{string.Concat(Enumerable.Repeat("---:|", numbers.Length + Qualities.Length + 3))}\n");
        foreach ((string name, EvaluatedObject[] objects, ClickCurve curve) in _sets)
        {
            Append(name, objects.Length, numbers.Select(curve.MeanAfter), Oracle(objects), Qualities.Select(curve.MeanClicksUntil), curve.NeverReached(0.9), Milliseconds(objects));
        }

        if (_sets.Length > 1)
        {
            Append(
                "mean of sets", _objects.Length, numbers.Select(MeanAfter), _sets.Average(set => Oracle(set.Objects)),
                Qualities.Select(q => _sets.Average(set => set.Curve.MeanClicksUntil(q))), _sets.Sum(set => set.Curve.NeverReached(0.9)), Milliseconds(_objects));
        }

        AppendGroups(text);
        return text.ToString();

        void Append(string name, int count, IEnumerable<double> means, double oracle, IEnumerable<double> clicks, int never, double milliseconds) =>
            text.Append(string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {count} |{string.Concat(means.Select(m => Invariant($" {m:0.000} |")))} {oracle:0.000} |{string.Concat(clicks.Select(c => Invariant($" {c:0.00} |")))} {never} | {milliseconds:0.0} |\n"));
    }

    /// <summary>The objects one by one as CSV: set, image, object, group, each round's intersection over union, oracle, milliseconds.</summary>
    public string ToCsv()
    {
        var text = new StringBuilder("set,image,object,group");
        for (int click = 1; click <= MaxClicks; click++) text.Append(Invariant($",iou_{click}"));
        text.Append(",oracle_1,ms_per_click\n");
        foreach (EvaluatedObject o in _objects)
        {
            text.Append(Invariant($"{Quoted(o.Set)},{o.ImageId},{o.ObjectId},{Quoted(o.Group ?? "")}"));
            for (int click = 0; click < MaxClicks; click++)
                text.Append(click < o.Result.Qualities.Count ? Invariant($",{o.Result.Qualities[click]:R}") : ",");
            text.Append(Invariant($",{o.Result.Oracle:R},{o.Result.MillisecondsPerClick:0.000}\n"));
        }

        return text.ToString();
    }

    private static double Oracle(EvaluatedObject[] objects) => objects.Average(o => o.Result.Oracle);

    private static double Milliseconds(EvaluatedObject[] objects)
    {
        double[] sorted = [.. objects.Select(o => o.Result.MillisecondsPerClick).Order()];
        return sorted[sorted.Length / 2];
    }

    private void AppendGroups(StringBuilder text)
    {
        if (_objects.All(o => o.Group is null)) return;
        int[] numbers = [.. new[] { 1, 3 }.Where(number => number <= MaxClicks)];
        text.Append($"\n| group | objects |{string.Concat(numbers.Select(n => $" mIoU@{n} |"))}\n|---|---:|{string.Concat(numbers.Select(_ => "---:|"))}\n");
        var columns = numbers.Select(Groups).ToArray();
        for (int row = 0; row < columns[0].Count; row++)
        {
            text.Append(Invariant($"| {columns[0][row].Group} | {columns[0][row].Count} |"));
            foreach (var column in columns)
            {
                Estimate mean = column[row].Mean;
                text.Append(Invariant($" {mean.Value:0.000} ({mean.Low:0.000} to {mean.High:0.000}) |"));
            }

            text.Append('\n');
        }
    }

    private static string Quoted(string value) => value.AsSpan().ContainsAny(",\"\n\r") ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : value;

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
