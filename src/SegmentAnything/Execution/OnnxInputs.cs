using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using SegmentAnything.Execution;

namespace SegmentAnything;

/// <summary>What a run of an <see cref="OnnxSession"/> is given: copies of spans, which may be used again at once.</summary>
/// <remarks>For one thread. It can be run several times; dispose it after the last.</remarks>
public sealed class OnnxInputs : IDisposable
{
    private readonly List<(string Name, OrtValue Value)> _values = [];

    internal ReadOnlySpan<(string Name, OrtValue Value)> Values => CollectionsMarshal.AsSpan(_values);

    /// <summary>Adds a tensor.</summary>
    /// <typeparam name="T">float, double, Half, or an integer of 8 to 64 bits, or bool: as the model's input has it.</typeparam>
    /// <param name="name">The name of the input.</param>
    /// <param name="values">Row-major; as many as the shape says.</param>
    /// <param name="shape">Outermost first.</param>
    /// <returns>This, so that calls can be chained.</returns>
    /// <exception cref="ArgumentException">There are more or fewer values than the shape has, or the name was added before.</exception>
    /// <exception cref="NotSupportedException">Values of this type do not exist in tensors.</exception>
    public OnnxInputs Add<T>(string name, ReadOnlySpan<T> values, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (_values.Any(v => v.Name == name)) throw new ArgumentException($"The input '{name}' was added before.", nameof(name));
        long count = 1;
        foreach (long size in shape) count = checked(count * size);
        if (count != values.Length)
            throw new ArgumentException($"The input '{name}' of shape [{string.Join(", ", shape.ToArray())}] has {count} values, found {values.Length}.", nameof(values));
        OrtValue value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorTypes.Of<T>(), shape.ToArray());
        MemoryMarshal.AsBytes(values).CopyTo(value.GetTensorMutableRawData());
        _values.Add((name, value));
        return this;
    }

    /// <summary>Releases the copies.</summary>
    public void Dispose()
    {
        foreach ((_, OrtValue value) in _values) value.Dispose();
        _values.Clear();
    }
}

/// <summary>What a run of an <see cref="OnnxSession"/> gave. Dispose it after the last look at its values.</summary>
public sealed class OnnxOutputs : IDisposable
{
    private readonly string[] _names;
    private readonly IDisposableReadOnlyCollection<OrtValue> _values;

    internal OnnxOutputs(string[] names, IDisposableReadOnlyCollection<OrtValue> values) => (_names, _values) = (names, values);

    /// <summary>The names of the outputs.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>The values of an output, row-major.</summary>
    /// <typeparam name="T">As <see cref="OnnxTensor.ElementType"/> says.</typeparam>
    /// <param name="name">The name of the output.</param>
    /// <exception cref="KeyNotFoundException">There is no such output; the message lists those that there are.</exception>
    /// <exception cref="InvalidCastException">Its values are of another type.</exception>
    public ReadOnlySpan<T> Values<T>(string name)
        where T : unmanaged
    {
        OrtValue value = Find(name);
        TensorElementType found = value.GetTensorTypeAndShape().ElementDataType;
        if (found != TensorTypes.Of<T>()) throw new InvalidCastException($"The output '{name}' has values of type {found}, not {typeof(T).Name}.");
        return MemoryMarshal.Cast<byte, T>(value.GetTensorMutableRawData());
    }

    /// <summary>The shape of an output, outermost first.</summary>
    /// <param name="name">The name of the output.</param>
    /// <exception cref="KeyNotFoundException">There is no such output; the message lists those that there are.</exception>
    public ReadOnlySpan<long> ShapeOf(string name) => Find(name).GetTensorTypeAndShape().Shape;

    /// <summary>Releases the values.</summary>
    public void Dispose() => _values.Dispose();

    private OrtValue Find(string name) => Array.IndexOf(_names, name) is >= 0 and var index
        ? _values[index]
        : throw new KeyNotFoundException($"The model gave no output '{name}', only {string.Join(", ", _names)}.");
}
