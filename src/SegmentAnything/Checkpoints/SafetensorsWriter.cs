using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace SegmentAnything.Checkpoints;

/// <summary>Writes weights as safetensors, float32, one tensor at a time.</summary>
internal static class SafetensorsWriter
{
    /// <param name="stream">Takes the file from its current position on.</param>
    /// <param name="weights">Where the values come from.</param>
    /// <param name="names">Which of them, in this order.</param>
    public static void Write(Stream stream, StateDict weights, IReadOnlyCollection<string> names)
    {
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            long offset = 0;
            json.WriteStartObject();
            foreach (string name in names)
            {
                TensorInfo tensor = weights.Tensors[name];
                json.WriteStartObject(name);
                json.WriteString("dtype", "F32");
                json.WriteStartArray("shape");
                foreach (int length in tensor.Shape) json.WriteNumberValue(length);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += sizeof(float) * tensor.Count);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Values start at a multiple of eight, so that they can be mapped: blanks fill the header.
        while (header.Length % 8 != 0) header.WriteByte((byte)' ');
        Span<byte> length64 = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length64, header.Length);
        stream.Write(length64);
        stream.Write(header.GetBuffer().AsSpan(0, (int)header.Length));
        foreach (string name in names) stream.Write(MemoryMarshal.AsBytes(weights.ReadAny(name).AsSpan()));
    }
}
