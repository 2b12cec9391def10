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

    private static string Text(ReadOnlySpan<int> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
