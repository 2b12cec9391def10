using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Graphs;

namespace SegmentAnything.Encoders;

/// <summary>How an image encoder is built from a checkpoint.</summary>
internal sealed record EncoderBuildOptions
{
    /// <summary>Store weights as float16. Default: false.</summary>
    public bool Half { get; init; }

    /// <summary>What the graph is for. Default: processors.</summary>
    public EncoderForm Form { get; init; } = EncoderForm.Tiled;

    /// <summary>Told the share of the graph that is built, 0 to 1.</summary>
    public IProgress<float>? Progress { get; init; }
}

/// <summary>Builds the image encoder of a checkpoint as an ONNX file, once: what was built is kept.</summary>
/// <remarks>
/// Weights go from the checkpoint to the file one at a time, so that memory does not grow with the model. A folder appears
/// under its final name only when it is complete; several processes may build the same at once.
/// </remarks>
internal static class EncoderCache
{
    public const string EncoderFileName = "encoder.onnx";
    public const string WeightsFileName = "encoder.weights";

    /// <summary>Key of the remark in a model whose weights are float16 on purpose.</summary>
    public const string HalfRemark = "segment-anything.float16-weights";

    /// <summary>Key of the remark that ties a model to the checkpoint that it was built from.</summary>
    public const string CheckpointRemark = "segment-anything.checkpoint-sha256";

    // Changes when a graph built by an older version must not be used any more.
    private const int Version = 1;

    // What the weights of every family's image encoder are called.
    private const string EncoderPrefix = "image_encoder.";

    // Beyond this, weights have a file of their own, which is mapped instead of read.
    private const long LargestInside = 64 << 20;

    /// <summary>Finds or builds the encoder of a checkpoint in a cache.</summary>
    /// <param name="model">The checkpoint.</param>
    /// <param name="cache">The folder of all that was built.</param>
    /// <param name="options">How to build it.</param>
    /// <param name="cancellationToken">Stops between parts; nothing is left behind.</param>
    /// <returns>The path of the ONNX file.</returns>
    /// <exception cref="CheckpointException">The weights are of no known encoder, or damaged.</exception>
    /// <exception cref="IOException">The cache cannot be written.</exception>
    public static string Build(FamilyModel model, string cache, EncoderBuildOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new EncoderBuildOptions();
        string hash = HashOf(model.Weights, cache, cancellationToken);
        string folder = Path.Combine(cache, $"{hash[..32]}{model.EncoderKey}-{options.Form}-{(options.Half ? "float16" : "float32")}-v{Version}");
        string path = Path.Combine(folder, EncoderFileName);
        if (File.Exists(path)) return path;

        UnfinishedFolder.RemoveAbandoned(cache);
        using UnfinishedFolder unfinished = new(folder);
        Write(model, hash, unfinished.Path, options, cancellationToken);
        unfinished.Install(EncoderFileName);
        return path;
    }

    /// <summary>Builds the encoder into a folder: <see cref="EncoderFileName"/>, and <see cref="WeightsFileName"/> if it is large.</summary>
    /// <exception cref="CheckpointException">The weights are of no known encoder, or damaged.</exception>
    public static void Write(FamilyModel model, string hash, string folder, EncoderBuildOptions options, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        long values = model.Weights.Tensors.Values.Where(t => t.Name.StartsWith(EncoderPrefix, StringComparison.Ordinal)).Sum(t => t.Count);
        FileStream? external = values * (options.Half ? 2 : 4) > LargestInside ? File.Create(Path.Combine(folder, WeightsFileName)) : null;
        using (external)
        {
            WeightOptions storage = new(options.Half, external is null ? null : new ExternalWeights(external, WeightsFileName));
            GraphBuilder graph = model.BuildEncoder(storage, options.Form, options.Progress, cancellationToken);
            graph.Metadata[CheckpointRemark] = hash;
            // A small model may as well be converted when it is loaded.
            if (options.Half && external is not null) graph.Metadata[HalfRemark] = "true";
            using FileStream file = File.Create(Path.Combine(folder, EncoderFileName));
            graph.Build().WriteTo(file);
        }

        options.Progress?.Report(1);
    }

    /// <summary>The SHA-256 of a checkpoint, in hexadecimal.</summary>
    /// <remarks>Hashing gigabytes at each start would not do: the hash of a file is remembered as long as its length and time stay.</remarks>
    public static string HashOf(StateDict weights, string cache, CancellationToken cancellationToken)
    {
        var file = new FileInfo(weights.Source);
        if (!file.Exists) return weights.ComputeHash(cancellationToken);
        string key = $"{file.FullName}\n{file.Length}\n{file.LastWriteTimeUtc.Ticks}";
        string note = Path.Combine(cache, "hashes", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))));
        if (File.Exists(note) && File.ReadAllText(note) is { Length: 64 } known && known.All(char.IsAsciiHexDigitLower)) return known;

        string hash = weights.ComputeHash(cancellationToken);
        AtomicFile.Write(note, Encoding.UTF8.GetBytes(hash));
        return hash;
    }
}
