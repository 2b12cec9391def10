using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace SegmentAnything.Checkpoints;

/// <summary>Stored values to float32. Files are little-endian, and so is every machine .NET runs on that we know of.</summary>
internal static class TensorConversion
{
    public static int SizeOf(TensorType type) => type switch
    {
        TensorType.Float64 or TensorType.Int64 => 8,
        TensorType.Float32 or TensorType.Int32 => 4,
        TensorType.Float16 or TensorType.BFloat16 or TensorType.Int16 => 2,
        _ => 1,
    };

    /// <param name="type">How the values are stored.</param>
    /// <param name="source">Whole values, as many as <paramref name="destination"/> holds.</param>
    /// <param name="destination">Takes the values.</param>
    public static void ToSingle(TensorType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.Float32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination);
                break;
            case TensorType.BFloat16:
                // bfloat16 is the upper half of a float32.
                ReadOnlySpan<ushort> upper = MemoryMarshal.Cast<byte, ushort>(source);
                Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
                for (int i = 0; i < bits.Length; i++) bits[i] = (uint)upper[i] << 16;
                break;
            case TensorType.Float64:
                for (int i = 0; i < destination.Length; i++) destination[i] = (float)BinaryPrimitives.ReadDoubleLittleEndian(source[(8 * i)..]);
                break;
            case TensorType.Int64:
                for (int i = 0; i < destination.Length; i++) destination[i] = BinaryPrimitives.ReadInt64LittleEndian(source[(8 * i)..]);
                break;
            case TensorType.Int32:
                for (int i = 0; i < destination.Length; i++) destination[i] = BinaryPrimitives.ReadInt32LittleEndian(source[(4 * i)..]);
                break;
            case TensorType.Int16:
                for (int i = 0; i < destination.Length; i++) destination[i] = BinaryPrimitives.ReadInt16LittleEndian(source[(2 * i)..]);
                break;
            case TensorType.Int8:
                for (int i = 0; i < destination.Length; i++) destination[i] = (sbyte)source[i];
                break;
            case TensorType.UInt8 or TensorType.Bool:
                for (int i = 0; i < destination.Length; i++) destination[i] = source[i];
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type));
        }
    }
}
