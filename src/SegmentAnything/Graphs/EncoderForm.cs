namespace SegmentAnything.Graphs;

/// <summary>How an encoder's graph is laid out.</summary>
internal sealed record EncoderForm
{
    private EncoderForm(bool isTiled) => IsTiled = isTiled;

    /// <summary>
    /// For ONNX Runtime on a processor: long chains are done a part at a time, so that what lies between two products
    /// never leaves the cache.
    /// </summary>
    public static EncoderForm Tiled { get; } = new(isTiled: true);

    /// <summary>For GPUs and other runtimes: one plain node a step, large products.</summary>
    public static EncoderForm Plain { get; } = new(isTiled: false);

    public bool IsTiled { get; }

    /// <summary>
    /// 0: everything in float32. Else products of tokens with weights are computed in 8-bit integers, and this is the largest
    /// of the weights: <see cref="Int8Matrix"/>. Attention's own products, convolutions, norms and all that is added stay
    /// float32. For ONNX Runtime on a processor only.
    /// </summary>
    public int LargestInteger { get; init; }

    /// <summary>Tiled: values of the widest matrix within a part of the rows of an MLP. 1.5 MB.</summary>
    public int ValuesOfPart { get; init; } = 3 << 17;

    /// <summary>Tiled: values of the widest image within a strip of convolutions. 4 MB.</summary>
    public int ValuesOfStrip { get; init; } = 1 << 20;

    /// <summary>
    /// Tiled: values of the widest image within a strip of the first stage, the rows that it shares with the strips beside
    /// it not counted. 8 MB: lower strips share more, higher ones leave the cache.
    /// </summary>
    public int ValuesOfFirstStrip { get; init; } = 1 << 21;

    /// <summary>Tiled: scores of global attention that are computed at a time. 8 MB.</summary>
    public int ScoresOfPart { get; init; } = 1 << 21;

    public override string ToString() => (IsTiled ? "tiled" : "plain") + (LargestInteger > 0 ? $"-int8-{LargestInteger}" : "");
}
