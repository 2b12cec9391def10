namespace SegmentAnything.Graphs;

/// <summary>How an encoder's graph is laid out.</summary>
internal enum EncoderForm
{
    /// <summary>
    /// For ONNX Runtime on a processor: long chains are done a part at a time (Scan), so that what lies between two
    /// products never leaves the cache.
    /// </summary>
    Tiled,

    /// <summary>For GPUs and other runtimes: one plain node a step, large products.</summary>
    Plain,
}
