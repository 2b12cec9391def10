using Microsoft.ML.OnnxRuntime.Tensors;

namespace SegmentAnything.Execution;

/// <summary>The types of tensors' values, ONNX Runtime's and .NET's.</summary>
internal static class TensorTypes
{
    private static readonly (Type Type, TensorElementType Element)[] Known =
    [
        (typeof(float), TensorElementType.Float), (typeof(double), TensorElementType.Double), (typeof(Half), TensorElementType.Float16),
        (typeof(byte), TensorElementType.UInt8), (typeof(sbyte), TensorElementType.Int8), (typeof(short), TensorElementType.Int16),
        (typeof(ushort), TensorElementType.UInt16), (typeof(int), TensorElementType.Int32), (typeof(uint), TensorElementType.UInt32),
        (typeof(long), TensorElementType.Int64), (typeof(ulong), TensorElementType.UInt64), (typeof(bool), TensorElementType.Bool),
    ];

    /// <exception cref="NotSupportedException">Values of this type do not exist in tensors.</exception>
    public static TensorElementType Of<T>() => Known.FirstOrDefault(k => k.Type == typeof(T)) is (not null, var element)
        ? element
        : throw new NotSupportedException($"Tensors have no values of type {typeof(T).Name}; they have {string.Join(", ", Known.Select(k => k.Type.Name))}.");

    /// <summary>Null where there is none.</summary>
    public static Type? Of(TensorElementType element) => Known.FirstOrDefault(k => k.Element == element).Type;
}
