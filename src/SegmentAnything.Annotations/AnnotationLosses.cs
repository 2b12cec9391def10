using System.Text;

namespace SegmentAnything.Annotations;

/// <summary>What a reader or a writer could not carry over, counted by kind.</summary>
public sealed class AnnotationLosses
{
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>How often each thing was lost, by what it is, such as "annotations without a mask".</summary>
    public IReadOnlyDictionary<string, long> Counts => _counts;

    /// <summary>Whether nothing was lost.</summary>
    public bool IsEmpty => _counts.Count == 0;

    /// <summary>The losses, one a line; empty where there is none.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach ((string what, long count) in _counts) text.Append(count).Append(' ').Append(what).Append('\n');
        return text.ToString();
    }

    internal void Add(string what, long count = 1)
    {
        if (count > 0) _counts[what] = _counts.GetValueOrDefault(what) + count;
    }

    internal void Add(AnnotationLosses other)
    {
        foreach ((string what, long count) in other._counts) Add(what, count);
    }
}
