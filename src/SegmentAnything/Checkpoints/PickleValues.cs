namespace SegmentAnything.Checkpoints;

// What a pickle of a state dict may hold, beside null, bool, long, double, string and byte[].

/// <summary>A name that the pickle imports, such as <c>torch._utils._rebuild_tensor_v2</c>. Nothing is ever imported.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module}.{Name}";
}

/// <summary>A tuple.</summary>
internal sealed record PickleTuple(object?[] Items);

/// <summary>A list or a set.</summary>
internal sealed class PickleList
{
    public List<object?> Items { get; } = [];
}

/// <summary>A dictionary, in the order of insertion. Entries whose key is not a string are dropped: no weight has one.</summary>
internal sealed class PickleDictionary
{
    private readonly Dictionary<string, int> _positions = [];

    public List<KeyValuePair<string, object?>> Entries { get; } = [];

    public object? this[string key] => _positions.TryGetValue(key, out int position) ? Entries[position].Value : null;

    public void Set(object? key, object? value)
    {
        if (key is not string name) return;
        if (_positions.TryGetValue(name, out int position))
        {
            Entries[position] = new(name, value);
            return;
        }

        _positions[name] = Entries.Count;
        Entries.Add(new(name, value));
    }
}

/// <summary>What a persistent identifier names: a storage beside the pickle.</summary>
/// <param name="Type">The type of its values.</param>
/// <param name="Key">Its name in the file.</param>
/// <param name="Count">How many values it has.</param>
/// <param name="ViewOffset">Legacy container: where a view of it starts, in values; otherwise 0.</param>
internal sealed record PickleStorage(TensorType Type, string Key, long Count, long ViewOffset);

/// <summary>A tensor as it is rebuilt: a view of a storage.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);
