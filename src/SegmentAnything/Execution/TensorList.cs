using CommunityToolkit.HighPerformance.Buffers;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace SegmentAnything.Execution;

/// <summary>The named tensors of one run, over memory that stays pinned until the list is disposed.</summary>
internal sealed class TensorList : IDisposable
{
    private readonly List<(string Name, OrtValue Value)> _tensors = [];
    private readonly List<IDisposable> _copies = [];

    /// <summary>Adds a tensor that reads from, or writes to, the caller's memory.</summary>
    /// <param name="name">The name in the graph.</param>
    /// <param name="memory">As many values as the shape has, or more.</param>
    /// <param name="shape">Outermost first.</param>
    public void Add<T>(string name, Memory<T> memory, params ReadOnlySpan<long> shape)
        where T : unmanaged
    {
        int count = 1;
        foreach (long size in shape) count = checked(count * (int)size);
        OrtValue value = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, memory[..count], shape.ToArray());
        _tensors.Add((name, value));
    }

    /// <summary>Adds a tensor of a copy of some values: a span cannot be pinned beyond a call.</summary>
    public void AddCopy(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape)
    {
        MemoryOwner<float> copy = MemoryOwner<float>.Allocate(values.Length);
        _copies.Add(copy);
        values.CopyTo(copy.Span);
        Add(name, copy.Memory, shape);
    }

    /// <summary>Adds a tensor of a copy of some values, in the type that a model takes it in.</summary>
    /// <exception cref="ModelContractException">The model has no such input, or one of a type that numbers are not converted to.</exception>
    public void AddConverted(ModelSession session, string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape)
    {
        if (!session.Inputs.TryGetValue(name, out TensorContract? tensor))
            throw new ModelContractException($"{session.Source}: there is no input '{name}'; there are {string.Join(", ", session.Inputs.Keys)}.", name);
        switch (tensor.ElementType)
        {
            case TensorElementType.Float: Add(name, Convert(values, v => v), shape); break;
            case TensorElementType.Float16: Add(name, Convert(values, v => new Float16(BitConverter.HalfToUInt16Bits((Half)v))), shape); break;
            case TensorElementType.Int32: Add(name, Convert(values, v => (int)v), shape); break;
            case TensorElementType.Int64: Add(name, Convert(values, v => (long)v), shape); break;
            default:
                throw new ModelContractException(
                    $"{session.Source}: input '{name}' is {tensor.Describe()}; float, float16, int32 or int64 is expected.", name, found: tensor.Describe());
        }

        // One more than is needed: memory of nothing has no address.
        static Memory<T> Convert<T>(ReadOnlySpan<float> values, Func<float, T> convert)
        {
            T[] converted = new T[values.Length + 1];
            for (int i = 0; i < values.Length; i++) converted[i] = convert(values[i]);
            return converted;
        }
    }

    public ReadOnlySpan<(string Name, OrtValue Value)> AsSpan() => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tensors);

    public void Dispose()
    {
        foreach ((_, OrtValue value) in _tensors) value.Dispose();
        foreach (IDisposable copy in _copies) copy.Dispose();
    }
}
