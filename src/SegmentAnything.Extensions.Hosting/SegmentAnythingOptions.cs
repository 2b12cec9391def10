namespace SegmentAnything.Extensions.Hosting;

/// <summary>What <c>AddSegmentAnything</c> is to load, and how much of the machine it may take.</summary>
public sealed class SegmentAnythingOptions
{
    /// <summary>
    /// The name of one of <see cref="SamModels"/>, a folder of ONNX files, or a checkpoint; see <see cref="SamModel.Load(string, SamOptions, CancellationToken)"/>.
    /// Default: <c>mobile-sam</c>.
    /// </summary>
    public string Model { get; set; } = SamModels.MobileSam.Name;

    /// <summary>Whether a published model that is not in the model store is downloaded when it is loaded. Default: true.</summary>
    public bool Download { get; set; } = true;

    /// <summary>Execution providers, threads, precision. Default: the CPU.</summary>
    public SamOptions Sam { get; set; } = SamOptions.Default;

    /// <summary>
    /// Whether the model is loaded, and used once, before the host has started, so that the first request is as fast as the
    /// others. Default: true. Otherwise the model is loaded when it is first asked for.
    /// </summary>
    public bool WarmUp { get; set; } = true;

    /// <summary>
    /// How many images are encoded or searched for objects at a time, at least 1. Default: 1, since one takes all cores or the
    /// whole GPU; each takes some 100 MB.
    /// </summary>
    public int MaxConcurrency { get; set; } = 1;

    /// <summary>
    /// How many calls may wait for their turn, at least 0. Default: 64. One more is refused at once with
    /// <see cref="SegmentationQueueFullException"/>, instead of being kept waiting with its image in memory.
    /// </summary>
    public int MaxQueueLength { get; set; } = 64;

    /// <summary>
    /// How many bytes of embeddings are kept, at least 0. Default: 512 MiB, which are 128 images of SAM's published models.
    /// Beyond it, those go that were not used for longest. Embeddings that are in use are counted until they are dropped.
    /// </summary>
    public long MaxCacheBytes { get; set; } = 512L << 20;

    internal IEnumerable<string> Problems()
    {
        if (string.IsNullOrWhiteSpace(Model))
            yield return $"{nameof(Model)} is empty: give the name of a model ({string.Join(", ", SamModels.All.Select(v => v.Name))}), a folder or a checkpoint.";
        if (Sam is null) yield return $"{nameof(Sam)} is null: leave it out for the default.";
        if (MaxConcurrency < 1) yield return $"{nameof(MaxConcurrency)} is {MaxConcurrency}; it is at least 1.";
        if (MaxQueueLength < 0) yield return $"{nameof(MaxQueueLength)} is {MaxQueueLength}; it is at least 0.";
        if (MaxCacheBytes < 0) yield return $"{nameof(MaxCacheBytes)} is {MaxCacheBytes}; it is at least 0, which keeps nothing.";
    }
}
