using System.Security.Cryptography;
using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Graphs;
using SegmentAnything.Models;
using SegmentAnything.Onnx;

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

    /// <summary>Told, in a sentence, of a file that had changed and is built again.</summary>
    public IProgress<string>? Notices { get; init; }
}

/// <summary>Builds the image encoder of a checkpoint as an ONNX file, once: what was built is kept.</summary>
/// <remarks>
/// Weights go from the checkpoint to the file one at a time, so that memory does not grow with the model. A folder appears
/// under its final name only when it is complete; several processes may build the same at once. What it is called is the hash of
/// the checkpoint's content, and beside its files are their own hashes: <see cref="VerifiedFiles"/> says when they are computed again.
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
    private const int Version = 2;

    // The hashes of a folder's files, as sha256sum writes them.
    private const string HashesFileName = "content.sha256";

    // What the weights of every family's image encoder are called.
    private const string EncoderPrefix = "image_encoder.";

    // A smaller file is hashed in less time than a note of it is read.
    private const int LeastRemembered = 4 << 20;

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
        VerifiedFiles verified = new(Path.Combine(cache, "hashes"));
        if (File.Exists(path))
        {
            if (ProblemOf(folder, verified, cancellationToken) is not { } problem) return path;
            options.Notices?.Report($"{folder}: {problem}; the image encoder is built again.");
            Directory.Delete(folder, recursive: true);
        }

        using UnfinishedFolder unfinished = new(folder);
        Write(model, hash, unfinished.Path, options, cancellationToken);
        List<(string Name, string Hash)> files = [];
        foreach (string file in Files(unfinished.Path)) files.Add((Path.GetFileName(file), FileHash.Of(file, cancellationToken)));
        File.WriteAllLines(Path.Combine(unfinished.Path, HashesFileName), files.Select(f => $"{f.Hash}  {f.Name}"));
        unfinished.Install(EncoderFileName);
        foreach ((string name, string content) in files) verified.Keep(Path.Combine(folder, name), StretchesOf(folder, name), content);
        return path;
    }

    /// <summary>What is wrong with the files of a folder that was built, by their hashes; null where they are as they were written.</summary>
    /// <param name="folder">One of the folders in a cache.</param>
    /// <param name="verified">What is known of files; null to read all of them.</param>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    public static string? ProblemOf(string folder, VerifiedFiles? verified, CancellationToken cancellationToken)
    {
        string list = Path.Combine(folder, HashesFileName);
        if (!File.Exists(list)) return $"{HashesFileName} is missing";
        Dictionary<string, string> hashes = [];
        foreach (string line in File.ReadAllLines(list))
        {
            if (line.Split("  ", 2) is [var hash, var name]) hashes[name] = hash;
        }

        if (!hashes.ContainsKey(EncoderFileName)) return $"{HashesFileName} is damaged";
        foreach ((string name, string hash) in hashes)
        {
            string file = Path.Combine(folder, name);
            if (!File.Exists(file)) return $"{name} is missing";
            string found = verified is null ? FileHash.Of(file, cancellationToken) : verified.HashOf(file, StretchesOf(folder, name), cancellationToken);
            if (found != hash) return $"{name} was changed: its SHA-256 is {found}, and was {hash}";
        }

        return null;
    }

    private static IEnumerable<string> Files(string folder) => new[] { EncoderFileName, WeightsFileName }.Select(name => Path.Combine(folder, name)).Where(File.Exists);

    // Of weights beside the model, where each tensor is; the model is small then.
    private static List<(long Offset, long Length)>? StretchesOf(string folder, string name)
    {
        if (name != WeightsFileName) return null;
        try
        {
            return [.. OnnxExternalData.Stretches(OnnxFile.Parse(File.ReadAllBytes(Path.Combine(folder, EncoderFileName)), folder))];
        }
        catch (CheckpointException)
        {
            return null;
        }
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

    /// <summary>The SHA-256 of a checkpoint, in hexadecimal: as <see cref="VerifiedFiles"/> knows it.</summary>
    public static string HashOf(StateDict weights, string cache, CancellationToken cancellationToken) => File.Exists(weights.Source)
        ? new VerifiedFiles(Path.Combine(cache, "hashes")).HashOf(weights.Source, weights.Stretches, cancellationToken)
        : weights.ComputeHash(cancellationToken);

    /// <summary>The SHA-256 of a file that was read, in hexadecimal: that of a large one as <see cref="VerifiedFiles"/> knows it.</summary>
    /// <param name="path">Where it is; null if it is nowhere but in memory.</param>
    /// <param name="bytes">The whole file, to stay unchanged until the task has ended.</param>
    /// <param name="cache">The folder of all that was built.</param>
    /// <returns>A task of the pool, since hashing takes as long as reading.</returns>
    public static Task<string> HashOf(string? path, ReadOnlyMemory<byte> bytes, string cache) => Task.Run(() =>
    {
        if (path is not null && bytes.Length > LeastRemembered)
        {
            try
            {
                return new VerifiedFiles(Path.Combine(cache, "hashes")).HashOf(path, stretches: null, CancellationToken.None);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It is gone, or cannot be read any more: what was read of it counts.
            }
        }

        return Convert.ToHexStringLower(SHA256.HashData(bytes.Span));
    });
}
