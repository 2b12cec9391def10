using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace SegmentAnything.Checkpoints;

/// <summary>A run of bytes of the file that tensors are views of.</summary>
/// <param name="Name">What the file calls it.</param>
/// <param name="Offset">Where it starts in the file.</param>
/// <param name="Length">Its length, in bytes.</param>
/// <param name="Crc32">Its check sum, if the file has one; checked before the first use.</param>
internal sealed record StorageBytes(string Name, long Offset, long Length, uint? Crc32)
{
    private volatile bool _checked;

    public void Check(ByteSource source)
    {
        if (_checked || Crc32 is null) return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 18);
        uint crc = 0;
        for (long done = 0; done < Length;)
        {
            Span<byte> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, Length - done));
            source.Read(Offset + done, part);
            crc = Checkpoints.Crc32.Append(crc, part);
            done += part.Length;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        if (crc != Crc32)
        {
            throw new CheckpointException(
                $"{source.Name}: the check sum of '{Name}' is {crc:x8}, but the file says {Crc32:x8}. The file is damaged: download it again.");
        }

        _checked = true;
    }
}

/// <summary>Where a tensor's values are in a file.</summary>
/// <param name="Info">Name, type and shape.</param>
/// <param name="Storage">The bytes that it is a view of.</param>
/// <param name="Offset">The first value, in values from the start of the storage.</param>
/// <param name="Strides">The step along each dimension, in values.</param>
internal sealed record TensorLocation(TensorInfo Info, StorageBytes Storage, long Offset, ImmutableArray<long> Strides)
{
    /// <summary>Largest number of dimensions that is taken for sane.</summary>
    public const int MaxRank = 8;

    /// <summary>The strides of a row-major tensor.</summary>
    public static ImmutableArray<long> RowMajor(ImmutableArray<int> shape)
    {
        long[] strides = new long[shape.Length];
        long step = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = step;
            step = checked(step * Math.Max(1, shape[i]));
        }

        return [.. strides];
    }

    /// <summary>Values from the first to the last one, both included; 0 for an empty tensor.</summary>
    public long Extent()
    {
        long last = 0;
        for (int i = 0; i < Strides.Length; i++)
        {
            if (Info.Shape[i] == 0) return 0;
            last = checked(last + (Info.Shape[i] - 1) * Strides[i]);
        }

        return last + 1;
    }

    /// <summary>Whether the values lie one after the other, in row-major order.</summary>
    public bool IsContiguous()
    {
        long step = 1;
        for (int i = Strides.Length - 1; i >= 0; i--)
        {
            if (Info.Shape[i] == 1) continue;
            if (Strides[i] != step) return false;
            step *= Info.Shape[i];
        }

        return true;
    }

    // Taken from the shortest stride to the longest, each step must leave all that is inside it behind.
    private bool OverlapsItself()
    {
        if (Info.Shape.Contains(0)) return false;
        long inside = 1;
        foreach (int axis in Enumerable.Range(0, Strides.Length).Where(a => Info.Shape[a] > 1).OrderBy(a => Strides[a]))
        {
            if (Strides[axis] < inside) return true;
            inside = checked(inside + (Info.Shape[axis] - 1) * Strides[axis]);
        }

        return false;
    }

    /// <summary>Refuses a tensor that does not lie within its storage, or that holds a value twice.</summary>
    public void Validate(string source)
    {
        string name = $"{source}: tensor '{Info.Name}'";
        try
        {
            if (Strides.Length != Info.Shape.Length)
                throw new CheckpointException($"{name} has {Info.Shape.Length} dimensions but {Strides.Length} strides.");
            if (Strides.Length > MaxRank) throw new CheckpointException($"{name} has {Strides.Length} dimensions; {MaxRank} is the most that is read.");
            if (Offset < 0 || Strides.Any(s => s < 0) || Info.Shape.Any(s => s < 0))
                throw new CheckpointException($"{name} has a negative length, stride or offset.");

            long extent = Extent();
            if (OverlapsItself())
            {
                throw new CheckpointException(
                    $"{name} overlaps itself: shape [{string.Join(", ", Info.Shape)}], strides [{string.Join(", ", Strides)}]. It is an expanded view; save it with .contiguous().");
            }

            long end = checked((Offset + extent) * TensorConversion.SizeOf(Info.Type));
            if (end > Storage.Length)
            {
                throw new CheckpointException(
                    $"{name} ends at byte {end} of storage '{Storage.Name}', which has {Storage.Length} bytes.");
            }
        }
        catch (OverflowException)
        {
            throw new CheckpointException(
                $"{name} is impossibly large: shape [{string.Join(", ", Info.Shape)}], strides [{string.Join(", ", Strides)}], offset {Offset}.");
        }
    }
}

/// <summary>Weights in a file, found by one of the readers. A tensor is read from the file each time it is asked for.</summary>
internal sealed class FileStateDict : StateDict
{
    private readonly ByteSource _source;
    private readonly Dictionary<string, TensorLocation> _locations;
    private readonly Dictionary<string, TensorInfo> _tensors;

    /// <summary>Takes ownership of <paramref name="source"/>.</summary>
    /// <exception cref="CheckpointException">A tensor lies outside its storage, or two of them overlap in part.</exception>
    public FileStateDict(ByteSource source, string format, IReadOnlyList<TensorLocation> tensors)
    {
        _source = source;
        Format = format;
        foreach (TensorLocation tensor in tensors) tensor.Validate(source.Name);
        RefuseOverlaps(source.Name, tensors);
        try
        {
            _locations = WrapperPrefix.Remove(tensors.Select(t => t.Info.Name).ToArray())
                .Zip(tensors, (name, t) => (name, t))
                .ToDictionary(p => p.name, p => p.t with { Info = p.t.Info with { Name = p.name } });
        }
        catch (ArgumentException)
        {
            throw new CheckpointException($"{source.Name}: two tensors have the same name.");
        }

        _tensors = _locations.ToDictionary(p => p.Key, p => p.Value.Info);
    }

    public override string Source => _source.Name;

    public override string Format { get; }

    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public override IReadOnlyList<(long Offset, long Length)>? Stretches => !_source.IsFile ? null :
    [
        .. _locations.Values.Select(location =>
        {
            int size = TensorConversion.SizeOf(location.Info.Type);
            return (location.Storage.Offset + (location.Offset * size), location.Extent() * size);
        }),
    ];

    protected internal override void ReadCore(TensorInfo tensor, Span<float> destination)
    {
        TensorLocation location = _locations[tensor.Name];
        location.Storage.Check(_source);
        long start = location.Storage.Offset + location.Offset * TensorConversion.SizeOf(tensor.Type);
        if (destination.IsEmpty) return;
        if (location.IsContiguous()) ReadRun(tensor.Type, start, destination);
        else ReadStrided(location, start, destination);
    }

    public override string ComputeHash(CancellationToken cancellationToken = default)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        for (long done = 0; done < _source.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<byte> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, _source.Length - done));
            _source.Read(done, part);
            hash.AppendData(part);
            done += part.Length;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public override void Dispose()
    {
        _source.Dispose();
        base.Dispose();
    }

    private void ReadRun(TensorType type, long start, Span<float> destination)
    {
        if (type == TensorType.Float32)
        {
            // In pieces, as a span of bytes cannot be longer than 2 GB.
            const int Piece = 1 << 28;
            for (int done = 0; done < destination.Length;)
            {
                Span<float> part = destination.Slice(done, Math.Min(Piece, destination.Length - done));
                _source.Read(start + 4L * done, MemoryMarshal.AsBytes(part));
                done += part.Length;
            }

            return;
        }

        int size = TensorConversion.SizeOf(type);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 18);
        for (int done = 0; done < destination.Length;)
        {
            Span<float> part = destination.Slice(done, Math.Min((1 << 18) / size, destination.Length - done));
            Span<byte> bytes = buffer.AsSpan(0, part.Length * size);
            _source.Read(start + (long)size * done, bytes);
            TensorConversion.ToSingle(type, bytes, part);
            done += part.Length;
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    // A view that was saved as one, such as a transposed matrix: read all it spans, then pick.
    private void ReadStrided(TensorLocation location, long start, Span<float> destination)
    {
        long extent = location.Extent();
        if (extent > Array.MaxLength)
            throw new CheckpointException($"{Source}: tensor '{location.Info.Name}' is a view that spans {extent} values, more than an array can hold.");
        float[] values = new float[extent];
        ReadRun(location.Info.Type, start, values);

        int rank = location.Strides.Length;
        Span<int> index = stackalloc int[rank];
        long position = 0;
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = values[position];
            for (int axis = rank - 1; axis >= 0; axis--)
            {
                position += location.Strides[axis];
                if (++index[axis] < location.Info.Shape[axis]) break;
                position -= index[axis] * location.Strides[axis];
                index[axis] = 0;
            }
        }
    }

    // Tied weights are the same view under two names, and that is usual. Views that overlap only in part are not.
    private static void RefuseOverlaps(string source, IReadOnlyList<TensorLocation> tensors)
    {
        foreach (IGrouping<long, TensorLocation> views in tensors.GroupBy(t => t.Storage.Offset))
        {
            long end = 0;
            TensorLocation? previous = null;
            foreach (TensorLocation view in views.Where(v => v.Info.Count > 0).OrderBy(v => v.Offset).ThenBy(v => v.Extent()))
            {
                long size = TensorConversion.SizeOf(view.Info.Type);
                bool same = previous is not null && previous.Offset * TensorConversion.SizeOf(previous.Info.Type) == view.Offset * size
                    && previous.Extent() * TensorConversion.SizeOf(previous.Info.Type) == view.Extent() * size;
                if (view.Offset * size < end && !same && view.IsContiguous() && previous!.IsContiguous())
                    throw new CheckpointException($"{source}: tensors '{previous!.Info.Name}' and '{view.Info.Name}' overlap in storage '{view.Storage.Name}'.");
                end = Math.Max(end, (view.Offset + view.Extent()) * size);
                previous = view;
            }
        }
    }
}
