namespace SegmentAnything.Checkpoints;

/// <summary>The same weights under other names: a view, which reads from where they are.</summary>
/// <remarks>It does not own the weights behind it: whoever opened the file closes it.</remarks>
internal sealed class RenamedStateDict : StateDict
{
    private readonly StateDict _source;
    private readonly Dictionary<string, Origin> _origins = [];
    private readonly Dictionary<string, TensorInfo> _tensors = [];

    /// <param name="source">The weights.</param>
    /// <param name="names">The new name of each tensor; a tensor that is missing here is not part of the view.</param>
    /// <exception cref="CheckpointException">Two tensors get the same name.</exception>
    public RenamedStateDict(StateDict source, IEnumerable<(string New, Origin Origin)> names)
    {
        _source = source;
        foreach ((string name, Origin origin) in names)
        {
            TensorInfo stored = source.Tensors[origin.Name];
            TensorInfo info = stored with { Name = name, Shape = origin.Row is null ? stored.Shape : [1, .. stored.Shape.AsSpan()[1..]] };
            if (!_tensors.TryAdd(name, info)) throw new CheckpointException($"{source.Source}: two tensors have the same name.");
            _origins.Add(name, origin);
        }
    }

    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public override string Source => _source.Source;

    public override string Format => _source.Format;

    public override IReadOnlyList<(long Offset, long Length)>? Stretches => _source.Stretches;

    public override string ComputeHash(CancellationToken cancellationToken = default) => _source.ComputeHash(cancellationToken);

    protected internal override void ReadCore(TensorInfo tensor, Span<float> destination)
    {
        Origin origin = _origins[tensor.Name];
        TensorInfo stored = _source.Tensors[origin.Name];
        if (origin.Row is not { } row)
        {
            _source.ReadCore(stored, destination);
            return;
        }

        _source.ReadAny(origin.Name).AsSpan(row * destination.Length, destination.Length).CopyTo(destination);
    }

    /// <summary>Where a tensor of the view comes from.</summary>
    /// <param name="Name">The name that it has there.</param>
    /// <param name="Row">One row of it, where several tensors of the view are stacked in one; null for all of it.</param>
    public readonly record struct Origin(string Name, int? Row = null);
}
