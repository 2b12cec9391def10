using System.Buffers.Binary;

namespace SegmentAnything.Checkpoints;

/// <summary>
/// The container that PyTorch wrote before 1.6: five pickles one after the other (a magic number, the protocol, the
/// writer's system, the state dict, the keys of the storages), then each storage: its count (8 bytes) and its values.
/// </summary>
internal static class TorchLegacyReader
{
    // 0x1950a86a20f9469cfc6c, little-endian, as Python pickles it.
    private static readonly byte[] Magic = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];

    /// <exception cref="CheckpointException">The file is damaged, or asks for more than tensors.</exception>
    public static StateDict Read(ByteSource source)
    {
        long position = 0;
        if (Next() is not byte[] magic || !magic.AsSpan().SequenceEqual(Magic))
            throw new CheckpointException($"{source.Name}: a pickle that is not a PyTorch checkpoint: its magic number is missing.");
        if (Next() is not 1001L) throw new CheckpointException($"{source.Name}: PyTorch's container has an unknown version; 1001 was expected.");
        if (Next() is not PickleDictionary system || system["little_endian"] is not true)
            throw new CheckpointException($"{source.Name}: the checkpoint was written on a big-endian machine, which is not read here.");
        object? root = Next();
        if (Next() is not PickleList keys) throw new CheckpointException($"{source.Name}: the list of storages is missing.");

        // The sizes of the values are known from the tensors that use a storage.
        Dictionary<string, PickleStorage> used = [];
        TorchTensors.Collect(source.Name, root, storage =>
        {
            if (used.TryGetValue(storage.Key, out PickleStorage? other) && (other.Type, other.Count) != (storage.Type, storage.Count))
                throw new CheckpointException($"{source.Name}: storage '{storage.Key}' is described in two ways.");
            used[storage.Key] = storage;
            return new StorageBytes(storage.Key, 0, long.MaxValue, null);
        });

        Dictionary<string, StorageBytes> storages = [];
        Span<byte> prefix = stackalloc byte[8];
        foreach (object? item in keys.Items)
        {
            if (item is not string key || !used.TryGetValue(key, out PickleStorage? storage))
                throw new CheckpointException($"{source.Name}: a storage is listed that no tensor uses, so its size is unknown.");
            source.Read(position, prefix);
            long count = BinaryPrimitives.ReadInt64LittleEndian(prefix);
            position += 8;
            int size = TensorConversion.SizeOf(storage.Type);
            if (count != storage.Count || count > (source.Length - position) / size)
            {
                throw new CheckpointException(
                    $"{source.Name}: storage '{key}' should have {storage.Count} values, {count} are announced and {(source.Length - position) / size} are there. Is the file truncated?");
            }

            if (!storages.TryAdd(key, new StorageBytes(key, position, count * size, null)))
                throw new CheckpointException($"{source.Name}: storage '{key}' is listed twice.");
            position += count * size;
        }

        return new FileStateDict(source, "PyTorch checkpoint (before 1.6)", TorchTensors.Collect(source.Name, root, storage =>
            storages.TryGetValue(storage.Key, out StorageBytes? bytes)
                ? bytes
                : throw new CheckpointException($"{source.Name}: storage '{storage.Key}' is used but not listed.")));

        object? Next()
        {
            var unpickler = new Unpickler(source, position, source.Length - position);
            object? value = unpickler.Read();
            position = unpickler.Position;
            return value;
        }
    }
}
