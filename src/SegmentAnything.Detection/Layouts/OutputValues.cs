namespace SegmentAnything.Detection.Layouts;

/// <summary>Outputs as numbers of one type, whatever the model's is.</summary>
internal sealed class OutputValues(OnnxOutputs outputs, string source)
{
    /// <summary>The values of an output, and its shape without the batch of one in front.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="rank">How many dimensions there shall be, without the batch.</param>
    public (float[] Values, int[] Shape) Read(string name, int rank)
    {
        int[] shape = [.. outputs.ShapeOf(name).ToArray().Select(d => checked((int)d))];
        if (shape.Length == rank + 1 && shape[0] == 1) shape = shape[1..];
        if (shape.Length != rank)
            throw new ModelContractException($"{source}: the output '{name}' has the shape [{string.Join(", ", shape)}], where {rank} dimensions are expected.");
        return (Values(name), shape);
    }

    private float[] Values(string name)
    {
        if (TryRead(name, out float[] floats)) return floats;
        if (TryRead(name, out Half[] halves)) return [.. halves.Select(value => (float)value)];
        if (TryRead(name, out long[] longs)) return [.. longs.Select(value => (float)value)];
        if (TryRead(name, out int[] ints)) return [.. ints.Select(value => (float)value)];
        throw new ModelContractException($"{source}: the output '{name}' holds numbers of a type that no detector gives.");
    }

    private bool TryRead<T>(string name, out T[] values)
        where T : unmanaged
    {
        try
        {
            values = outputs.Values<T>(name).ToArray();
            return true;
        }
        catch (InvalidCastException)
        {
            values = [];
            return false;
        }
    }
}
