using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>An input or output of a loaded ONNX model.</summary>
/// <param name="Name">Its name in the graph.</param>
/// <param name="ElementType">The type of its values; null where it is no tensor of numbers.</param>
/// <param name="Dimensions">Outermost first; -1 where a dimension is left open.</param>
public sealed record OnnxTensor(string Name, Type? ElementType, ImmutableArray<int> Dimensions)
{
    /// <summary>Gives <c>name: Single [1, ?, 64]</c>.</summary>
    public override string ToString() => $"{Name}: {ElementType?.Name ?? "no tensor"} [{string.Join(", ", Dimensions.Select(d => d < 0 ? "?" : $"{d}"))}]";
}
