using CommunityToolkit.HighPerformance.Buffers;
using Microsoft.ML.OnnxRuntime;

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

    public ReadOnlySpan<(string Name, OrtValue Value)> AsSpan() => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tensors);

    public void Dispose()
    {
        foreach ((_, OrtValue value) in _tensors) value.Dispose();
        foreach (IDisposable copy in _copies) copy.Dispose();
    }
}
