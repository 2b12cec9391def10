using System.Text;

namespace SegmentAnything.Checkpoints;

/// <summary>
/// PyTorch's zip container: <c>NAME/data.pkl</c> is a pickle of the state dict, <c>NAME/data/KEY</c> is the storage KEY.
/// </summary>
internal static class TorchZipReader
{
    /// <exception cref="CheckpointException">The file is damaged, or asks for more than tensors.</exception>
    public static StateDict Read(ByteSource source)
    {
        Dictionary<string, ZipEntry> entries = ZipDirectory.Read(source);
        string[] pickles = [.. entries.Keys.Where(name => name == "data.pkl" || name.EndsWith("/data.pkl", StringComparison.Ordinal))];
        if (pickles is not [string picklePath])
        {
            throw new CheckpointException(
                $"{source.Name}: a zip file with {pickles.Length} entries called data.pkl; a PyTorch checkpoint has one. Found: {string.Join(", ", entries.Keys.Take(6))}.");
        }

        string root = picklePath[..^"data.pkl".Length];
        if (entries.TryGetValue(root + "byteorder", out ZipEntry? byteOrder) && byteOrder.Length <= 16
            && Encoding.ASCII.GetString(source.Read(byteOrder.Offset, (int)byteOrder.Length)) != "little")
        {
            throw new CheckpointException($"{source.Name}: the checkpoint was written on a big-endian machine, which is not read here.");
        }

        ZipEntry pickle = entries[picklePath];
        if (pickle.Length > Unpickler.MaxBytes)
            throw new CheckpointException($"{source.Name}: '{picklePath}' has {pickle.Length} bytes; {Unpickler.MaxBytes} is the most that is read.");
        new StorageBytes(pickle.Name, pickle.Offset, pickle.Length, pickle.Crc32).Check(source);
        object? value = new Unpickler(source, pickle.Offset, pickle.Length).Read();

        Dictionary<string, StorageBytes> storages = [];
        return new FileStateDict(source, "PyTorch checkpoint", TorchTensors.Collect(source.Name, value, storage =>
        {
            if (!entries.TryGetValue(root + "data/" + storage.Key, out ZipEntry? entry))
                throw new CheckpointException($"{source.Name}: storage '{storage.Key}' is missing.");
            if (entry.Length / TensorConversion.SizeOf(storage.Type) != storage.Count || entry.Length % TensorConversion.SizeOf(storage.Type) != 0)
                throw new CheckpointException($"{source.Name}: storage '{storage.Key}' should have {storage.Count} values of type {storage.Type}, but has {entry.Length} bytes.");
            if (!storages.TryGetValue(storage.Key, out StorageBytes? bytes))
                storages[storage.Key] = bytes = new StorageBytes(entry.Name, entry.Offset, entry.Length, entry.Crc32);
            return bytes;
        }));
    }
}
