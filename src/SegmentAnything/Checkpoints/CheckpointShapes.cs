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
    /// <param name="unused">What the names of tensors begin with that a published file may have though the network does not read them.</param>
    /// <exception cref="CheckpointException">A tensor is missing, has another shape, or is one too many; the message names it.</exception>
    public static void CheckAll(StateDict weights, string prefix, IEnumerable<(string Name, int[] Shape)> expected, params string[] unused)
    {
        (string Name, int[] Shape)[] all = [.. expected];
        Check(weights, all);
        RefuseOthers(weights, prefix, all, unused);
    }

    /// <summary>Checks that a part of the network has no other tensors than these.</summary>
    /// <param name="weights">The checkpoint.</param>
    /// <param name="prefix">What the names of the part's tensors begin with.</param>
    /// <param name="expected">All of them; those of other parts may be among them.</param>
    /// <param name="unused">As above.</param>
    /// <exception cref="CheckpointException">A tensor is one too many; the message names it.</exception>
    public static void RefuseOthers(StateDict weights, string prefix, IReadOnlyCollection<(string Name, int[] Shape)> expected, params string[] unused)
    {
        HashSet<string> known = [.. expected.Select(t => t.Name).Where(name => name.StartsWith(prefix, StringComparison.Ordinal))];
        string? other = weights.Tensors.Keys.FirstOrDefault(name => name.StartsWith(prefix, StringComparison.Ordinal)
            && !known.Contains(name) && !name.EndsWith(".num_batches_tracked", StringComparison.Ordinal)
            && !unused.Any(start => name.StartsWith(start, StringComparison.Ordinal)));
        if (other is not null)
        {
            throw new CheckpointException(
                $"{weights.Source}: tensor '{other}' of shape {Text(weights.ShapeOf(other).AsSpan())} is none of the {known.Count} that are expected under '{prefix}'. Is this another model, or one that was changed?");
        }
    }

    /// <summary>Whether there is any tensor of a part: what lacks a tensor is still there, and the check names what is missing.</summary>
    public static bool HasPart(StateDict weights, string prefix) => weights.Tensors.Keys.Any(name => name.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>How many parts there are that are numbered from 0: blocks, layers.</summary>
    public static int CountParts(StateDict weights, string prefix)
    {
        int count = 0;
        while (HasPart(weights, $"{prefix}{count}.")) count++;
        return count;
    }

    private static string Text(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
