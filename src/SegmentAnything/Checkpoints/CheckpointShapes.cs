namespace SegmentAnything.Checkpoints;

/// <summary>Compares the tensors of a checkpoint with those that a network has.</summary>
internal static class CheckpointShapes
{
    /// <summary>Checks that every tensor is there with its shape.</summary>
    /// <exception cref="CheckpointException">One is missing or has another shape; the message names it and both shapes.</exception>
    public static void Check(StateDict weights, IEnumerable<(string Name, int[] Shape)> expected)
    {
        foreach ((string name, int[] shape) in expected)
        {
            if (!weights.Contains(name))
                throw new CheckpointException($"{weights.Source}: no tensor named '{name}', expected one of shape {Text(shape)}.");
            ReadOnlySpan<int> found = weights.ShapeOf(name).AsSpan();
            if (!found.SequenceEqual(shape))
                throw new CheckpointException($"{weights.Source}: tensor '{name}' has shape {Text(found)}, expected {Text(shape)}.");
        }
    }

    /// <summary>The same for a part of the network, which has no other tensors than these.</summary>
    /// <param name="weights">The checkpoint.</param>
    /// <param name="prefix">What the names of the part's tensors begin with.</param>
    /// <param name="expected">All of them. What a norm counted while it was trained may be there as well.</param>
    /// <exception cref="CheckpointException">A tensor is missing, has another shape, or is one too many; the message names it.</exception>
    public static void CheckAll(StateDict weights, string prefix, IEnumerable<(string Name, int[] Shape)> expected)
    {
        (string Name, int[] Shape)[] all = [.. expected];
        Check(weights, all);
        HashSet<string> known = [.. all.Select(t => t.Name)];
        string? other = weights.Tensors.Keys.FirstOrDefault(name => name.StartsWith(prefix, StringComparison.Ordinal)
            && !known.Contains(name) && !name.EndsWith(".num_batches_tracked", StringComparison.Ordinal));
        if (other is not null)
        {
            throw new CheckpointException(
                $"{weights.Source}: tensor '{other}' of shape {Text(weights.ShapeOf(other).AsSpan())} is none of the {all.Length} that are expected under '{prefix}'. Is this another model, or one that was changed?");
        }
    }

    private static string Text(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
