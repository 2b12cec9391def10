using System.Buffers.Binary;

namespace SegmentAnything.Checkpoints;

/// <summary>Opens a file of weights, whichever of the known kinds it is. What the file begins with decides, not its name.</summary>
internal static class CheckpointReader
{
    /// <summary>Opens a PyTorch checkpoint (zip or the container before 1.6) or a safetensors file.</summary>
    /// <returns>Its tensors under their official names; nothing but the list of them was read.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="CheckpointException">The file is of another kind, damaged, or asks for more than tensors.</exception>
    public static StateDict Open(string path) => Open(ByteSource.OpenFile(path));

    /// <summary>Opens a checkpoint; takes ownership of its bytes.</summary>
    /// <exception cref="CheckpointException">The bytes are of another kind, damaged, or ask for more than tensors.</exception>
    public static StateDict Open(ByteSource source)
    {
        try
        {
            return Recognize(source) switch
            {
                CheckpointFormat.PyTorchZip when PackedCheckpoint.Unpack(source) is { } unpacked => Open(unpacked),
                CheckpointFormat.PyTorchZip => TorchZipReader.Read(source),
                CheckpointFormat.PyTorchLegacy => TorchLegacyReader.Read(source),
                CheckpointFormat.Safetensors => SafetensorsReader.Read(source),
                _ => throw new CheckpointException(
                    $"{source.Name}: not a checkpoint that is understood ({source.Length} bytes, beginning with {Beginning(source)}). Expected a PyTorch checkpoint (.pth, .pt, .bin) or a safetensors file."),
            };
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>What kind of file this is, by its first bytes.</summary>
    public static CheckpointFormat Recognize(ByteSource source)
    {
        Span<byte> start = stackalloc byte[16];
        start = start[..(int)Math.Min(16, source.Length)];
        source.Read(0, start);
        if (start.StartsWith("PK\x03\x04"u8) || start.StartsWith("PK\x05\x06"u8)) return CheckpointFormat.PyTorchZip;
        if (start.Length >= 2 && start[0] == 0x80 && start[1] is >= 2 and <= 5) return CheckpointFormat.PyTorchLegacy;
        if (start.Length >= 9 && start[8] == (byte)'{' && BinaryPrimitives.ReadUInt64LittleEndian(start) <= (ulong)SafetensorsReader.MaxHeaderLength)
            return CheckpointFormat.Safetensors;
        return CheckpointFormat.Unknown;
    }

    private static string Beginning(ByteSource source) =>
        source.Length == 0 ? "nothing" : Convert.ToHexString(source.Read(0, (int)Math.Min(8, source.Length)));
}

/// <summary>The containers that weights come in.</summary>
internal enum CheckpointFormat
{
    Unknown,
    PyTorchZip,
    PyTorchLegacy,
    Safetensors,
}
