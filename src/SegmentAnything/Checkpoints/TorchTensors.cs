using System.Collections.Immutable;

namespace SegmentAnything.Checkpoints;

/// <summary>From the value that a checkpoint's pickle holds to the tensors in it.</summary>
internal static class TorchTensors
{
    // Training scripts save the state dict under one of these names, among others.
    private static readonly string[] Wrappers = ["model", "state_dict", "model_state_dict", "module", "net", "params", "ema"];

    /// <param name="source">The file's name, for messages.</param>
    /// <param name="root">The unpickled value.</param>
    /// <param name="storage">Finds a storage's bytes.</param>
    /// <exception cref="CheckpointException">There are no tensors, or one is impossible.</exception>
    public static IReadOnlyList<TensorLocation> Collect(string source, object? root, Func<PickleStorage, StorageBytes> storage)
    {
        if (root is not PickleDictionary dictionary)
            throw new CheckpointException($"{source}: the checkpoint holds {Describe(root)}; a state dict (names and tensors) was expected.");
        if (!dictionary.Entries.Any(e => e.Value is PickleTensor))
        {
            dictionary = Wrappers.Select(name => dictionary[name]).OfType<PickleDictionary>().FirstOrDefault(d => d.Entries.Any(e => e.Value is PickleTensor))
                ?? throw new CheckpointException(
                    $"{source}: the checkpoint holds no tensors, neither at its top nor under {string.Join(", ", Wrappers)}; found {string.Join(", ", dictionary.Entries.Take(8).Select(e => $"'{e.Key}'"))}.");
        }

        List<TensorLocation> tensors = [];
        foreach ((string name, object? value) in dictionary.Entries)
        {
            if (value is not PickleTensor tensor) continue;
            if (tensor.Shape.Length > TensorLocation.MaxRank || tensor.Shape.Any(length => length is < 0 or > int.MaxValue))
                throw new CheckpointException($"{source}: tensor '{name}' has the impossible shape [{string.Join(", ", tensor.Shape)}].");
            tensors.Add(new TensorLocation(
                new TensorInfo(name, tensor.Storage.Type, [.. tensor.Shape.Select(length => (int)length)]),
                storage(tensor.Storage), Sum(source, name, tensor.Storage.ViewOffset, tensor.Offset), ImmutableArray.Create(tensor.Strides)));
        }

        return tensors;
    }

    private static long Sum(string source, string name, long a, long b)
    {
        try
        {
            return checked(a + b);
        }
        catch (OverflowException)
        {
            throw new CheckpointException($"{source}: tensor '{name}' has an impossible offset.");
        }
    }

    private static string Describe(object? value) => value switch
    {
        null => "nothing",
        PickleTensor => "a single tensor",
        PickleList or PickleTuple => "a list",
        _ => "a single value",
    };
}
