using System.Collections.Immutable;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace SegmentAnything.Checkpoints;

/// <summary>How a tensor's values are stored in a file. They are always read as float32.</summary>
internal enum TensorType
{
    Float32,
    Float16,
    BFloat16,
    Float64,
    Int64,
    Int32,
    Int16,
    Int8,
    UInt8,
    Bool,
}

/// <summary>What is known of a tensor before its values are read.</summary>
/// <param name="Name">Its name in the official PyTorch code, such as <c>mask_decoder.iou_token.weight</c>.</param>
/// <param name="Type">How it is stored.</param>
/// <param name="Shape">Its dimensions, outermost first; empty for a scalar.</param>
internal sealed record TensorInfo(string Name, TensorType Type, ImmutableArray<int> Shape)
{
    public long Count => Shape.Aggregate(1L, (product, length) => checked(product * length));
}

/// <summary>
/// The named weights of a model, whatever file they came from: PyTorch, safetensors, or the initialisers of an ONNX
/// file that were given their names back. Values are read one tensor at a time, so that a large file needs little memory.
/// </summary>
/// <remarks>Reading is safe from several threads.</remarks>
internal abstract class StateDict : IDisposable
{
    /// <summary>Every tensor, by its name.</summary>
    public abstract IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Where the weights came from, for error messages.</summary>
    public abstract string Source { get; }

    /// <summary>What kind of file that is, for people.</summary>
    public virtual string Format => "weights in memory";

    /// <summary>
    /// Where the tensors are in the file that <see cref="Source"/> is the path of: offset and length in bytes; null where that is
    /// not known, or they are in none.
    /// </summary>
    public virtual IReadOnlyList<(long Offset, long Length)>? Stretches => null;

    /// <summary>Reads one tensor's values, row-major, converted to float32.</summary>
    /// <param name="tensor">One of <see cref="Tensors"/>.</param>
    /// <param name="destination">Exactly as long as the tensor has values.</param>
    protected internal abstract void ReadCore(TensorInfo tensor, Span<float> destination);

    public bool Contains(string name) => Tensors.ContainsKey(name);

    /// <summary>Reads a tensor of a known shape, row-major.</summary>
    /// <exception cref="CheckpointException">There is no such tensor, its shape is another one, or a value is NaN or infinite.</exception>
    public float[] Read(string name, params ReadOnlySpan<int> shape)
    {
        TensorInfo tensor = Find(name);
        if (!tensor.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointException(
                $"{Source}: tensor '{name}' has shape [{string.Join(", ", tensor.Shape)}], expected [{string.Join(", ", shape.ToArray())}].");
        }

        return Read(tensor);
    }

    /// <summary>Reads a tensor of any shape, row-major.</summary>
    /// <exception cref="CheckpointException">There is no such tensor, or a value is NaN or infinite.</exception>
    public float[] ReadAny(string name) => Read(Find(name));

    /// <summary>The shape of a tensor.</summary>
    /// <exception cref="CheckpointException">There is no such tensor.</exception>
    public ImmutableArray<int> ShapeOf(string name) => Find(name).Shape;

    /// <summary>The SHA-256 of all there is, in hexadecimal: of the file, or of names, shapes and values.</summary>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public virtual string ComputeHash(CancellationToken cancellationToken = default)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (TensorInfo tensor in Tensors.Values.OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(Encoding.UTF8.GetBytes($"{tensor.Name}[{string.Join(',', tensor.Shape)}]\n"));
            hash.AppendData(MemoryMarshal.AsBytes(Read(tensor).AsSpan()));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Reads those tensors into memory whose names begin in one of these ways.</summary>
    public InMemoryStateDict CopyOf(params IReadOnlyList<string> prefixes) => new(Source, Tensors.Values
        .Where(t => prefixes.Any(prefix => t.Name.StartsWith(prefix, StringComparison.Ordinal)))
        .ToDictionary(t => t.Name, t => (t.Shape.ToArray(), Read(t))));

    public virtual void Dispose() => GC.SuppressFinalize(this);

    private TensorInfo Find(string name) => Tensors.TryGetValue(name, out TensorInfo? tensor)
        ? tensor
        : throw new CheckpointException($"{Source}: no tensor named '{name}' among the {Tensors.Count} found.");

    // One such weight makes every mask empty, without a word.
    private CheckpointException NotFinite(TensorInfo tensor, ReadOnlySpan<float> values)
    {
        int first = 0;
        while (float.IsFinite(values[first])) first++;
        return new CheckpointException(
            $"{Source}: tensor '{tensor.Name}' of shape [{string.Join(", ", tensor.Shape)}] has {values[first].ToString(CultureInfo.InvariantCulture)} as value {first}, expected finite numbers. The file is damaged, or its training failed.");
    }

    private float[] Read(TensorInfo tensor)
    {
        if (tensor.Count > Array.MaxLength)
            throw new CheckpointException($"{Source}: tensor '{tensor.Name}' has {tensor.Count} values, more than an array can hold.");
        float[] values = GC.AllocateUninitializedArray<float>((int)tensor.Count);
        ReadCore(tensor, values);
        if (values.Length > 0 && !float.IsFinite(TensorPrimitives.MaxMagnitude<float>(values))) throw NotFinite(tensor, values);
        return values;
    }
}

/// <summary>Weights held in memory under their names.</summary>
internal sealed class InMemoryStateDict(string source, IReadOnlyDictionary<string, (int[] Shape, float[] Values)> tensors) : StateDict
{
    public override string Source => source;

    public override IReadOnlyDictionary<string, TensorInfo> Tensors { get; } =
        tensors.ToDictionary(t => t.Key, t => new TensorInfo(t.Key, TensorType.Float32, [.. t.Value.Shape]));

    protected internal override void ReadCore(TensorInfo tensor, Span<float> destination) =>
        tensors[tensor.Name].Values.CopyTo(destination);
}
