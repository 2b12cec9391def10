namespace SegmentAnything.Evaluation;

/// <summary>A queue of places by whole distances, where none is taken that is nearer than the last: a list for each distance.</summary>
/// <remarks>Source: Dial, Algorithm 360 (1969).</remarks>
internal sealed class BucketQueue
{
    private int[] _first = new int[1024];
    private int[] _next = new int[1024];
    private int[] _places = new int[1024];
    private int _count;
    private int _nearest;
    private int _farthest = -1;

    public void Clear()
    {
        _first.AsSpan(0, _farthest + 1).Clear();
        _count = 0;
        _nearest = 0;
        _farthest = -1;
    }

    public void Add(int place, int distance)
    {
        if (distance >= _first.Length) Array.Resize(ref _first, Math.Max(distance + 1, 2 * _first.Length));
        if (_count == _places.Length)
        {
            Array.Resize(ref _places, 2 * _count);
            Array.Resize(ref _next, 2 * _count);
        }

        _places[_count] = place;
        _next[_count] = _first[distance];
        _first[distance] = ++_count;
        _farthest = Math.Max(_farthest, distance);
    }

    /// <summary>Takes the nearest, if it is nearer than the limit.</summary>
    public bool TryTake(int limit, out int place, out int distance)
    {
        while (_nearest <= _farthest && _first[_nearest] == 0) _nearest++;
        distance = _nearest;
        if (_nearest > _farthest || _nearest >= limit)
        {
            place = -1;
            return false;
        }

        int entry = _first[_nearest] - 1;
        _first[_nearest] = _next[entry];
        place = _places[entry];
        return true;
    }
}
