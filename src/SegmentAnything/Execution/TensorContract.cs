using System.Collections.Immutable;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace SegmentAnything.Execution;

/// <summary>A tensor that a model takes or gives, or that it is expected to: name, element type, dimensions.</summary>
/// <param name="Name">The name in the file; null in an expectation where any name will do, if there is only one tensor.</param>
/// <param name="ElementType">The type of each value.</param>
/// <param name="Dimensions">
/// Outermost first. In a file, <see cref="Any"/> is a dimension that is left open. In an expectation, a number is
/// satisfied by that number or by an open dimension, <see cref="Any"/> by everything, <see cref="Open"/> by an open one.
/// </param>
internal sealed record TensorContract(string? Name, TensorElementType ElementType, ImmutableArray<int> Dimensions)
{
    /// <summary>A dimension that is left open.</summary>
    public const int Any = -1;

    /// <summary>In an expectation: the file must leave this dimension open.</summary>
    public const int Open = -2;

    public static TensorContract Float(string? name, params ReadOnlySpan<int> dimensions) =>
        new(name, TensorElementType.Float, [.. dimensions]);

    public static TensorContract Bytes(string? name, params ReadOnlySpan<int> dimensions) =>
        new(name, TensorElementType.UInt8, [.. dimensions]);

    public static TensorContract FromMetadata(string name, NodeMetadata metadata) => metadata.IsTensor
        ? new(name, metadata.ElementDataType, [.. metadata.Dimensions])
        : new(name, TensorElementType.DataTypeMax, []);

    /// <summary>True if a tensor of a file, <paramref name="found"/>, is as this expects; names are not compared.</summary>
    public bool IsSatisfiedBy(TensorContract found)
    {
        if (found.ElementType != ElementType || found.Dimensions.Length != Dimensions.Length) return false;
        for (int i = 0; i < Dimensions.Length; i++)
        {
            bool isSatisfied = Dimensions[i] switch
            {
                Any => true,
                Open => found.Dimensions[i] < 0,
                int length => found.Dimensions[i] == length || found.Dimensions[i] < 0,
            };
            if (!isSatisfied) return false;
        }

        return true;
    }

    /// <summary>For messages: <c>Float [1, ?, 64, 64]</c>.</summary>
    public string Describe() => ElementType == TensorElementType.DataTypeMax
        ? "not a tensor"
        : $"{ElementType} [{string.Join(", ", Dimensions.Select(d => d switch { Open => "open", < 0 => "?", _ => d.ToString() }))}]";
}
