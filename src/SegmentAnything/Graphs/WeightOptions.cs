namespace SegmentAnything.Graphs;

/// <summary>How a graph's large weights are stored.</summary>
/// <param name="Half">As float16, at half the size; products are still computed in float32.</param>
/// <param name="External">Where they go; null keeps them inside the model, which is possible up to 2 GB.</param>
internal sealed record WeightOptions(bool Half = false, ExternalWeights? External = null)
{
    public static WeightOptions Default { get; } = new();
}

/// <summary>
/// The file beside a model that holds its large weights: they are written as they are read from the checkpoint, one by
/// one, and ONNX Runtime maps the file into memory instead of reading it.
/// </summary>
/// <param name="stream">The file, at its start; the caller closes it.</param>
/// <param name="location">Its name as the model will know it, relative to the model.</param>
internal sealed class ExternalWeights(Stream stream, string location)
{
    /// <summary>Smaller tensors stay inside the model: a page of their own would be a waste.</summary>
    public const int SmallestTensor = 4096;

    // Whole pages, so that each tensor can be mapped on its own.
    private const int Alignment = 4096;

    /// <summary>Writes a tensor, and tells where it is in ONNX's terms.</summary>
    public (string Key, string Value)[] Append(ReadOnlySpan<byte> bytes)
    {
        stream.SetLength(stream.Position = (stream.Position + Alignment - 1) / Alignment * Alignment);
        long offset = stream.Position;
        stream.Write(bytes);
        return [("location", location), ("offset", $"{offset}"), ("length", $"{bytes.Length}")];
    }
}
