using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using SegmentAnything.Checkpoints;
using SegmentAnything.Models;

namespace SegmentAnything;

/// <summary>Finds the files of models by name in a folder shared by all of them, and downloads what is missing when asked to.</summary>
/// <remarks>
/// <code>
/// &lt;store&gt;/mobile-sam/encoder.onnx        &lt;store&gt;/&lt;name of the model&gt;/&lt;name of the file&gt;
/// &lt;store&gt;/mobile-sam/decoder.onnx
/// </code>
/// Safe to use from several threads, and by several processes on one folder.
/// </remarks>
public sealed class ModelStore
{
    /// <summary>The environment variable that names the store's folder.</summary>
    public const string EnvironmentVariable = "SEGMENTANYTHING_MODELS";

    /// <summary>The environment variable that names a server of one's own to download from.</summary>
    public const string MirrorVariable = "SEGMENTANYTHING_MIRROR";

    private readonly string? _mirror;

    /// <summary>Uses one folder, and no other.</summary>
    /// <param name="folder">The folder; it need not exist.</param>
    /// <param name="mirror">
    /// An http or https address that has the store's layout below it, <c>mobile-sam/encoder.onnx</c> and so on, and is asked
    /// before the published addresses; null for none.
    /// </param>
    public ModelStore(string folder, Uri? mirror = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        Folders = [Path.GetFullPath(folder)];
        _mirror = mirror?.OriginalString;
    }

    private ModelStore(ImmutableArray<string> folders, string? mirror) => (Folders, _mirror) = (folders, mirror);

    /// <summary>
    /// The folder that <see cref="EnvironmentVariable"/> names now, if it does; then the user's cache,
    /// <c>segment-anything/models</c> in <c>$XDG_CACHE_HOME</c> or <c>~/.cache</c> on Linux, in <c>~/Library/Caches</c> on
    /// macOS, in the local application data on Windows; then <c>models</c> beside the application, where packages such as
    /// <c>SegmentAnything.Models.MobileSam</c> put theirs. Downloads ask the address that <see cref="MirrorVariable"/> names
    /// now, if it does, before the published ones.
    /// </summary>
    public static ModelStore Default => FromEnvironment(Environment.GetEnvironmentVariable);

    /// <summary>The folders that are searched, in order. Downloads go to the first.</summary>
    public ImmutableArray<string> Folders { get; }

    /// <summary>Finds a model's files; nothing is downloaded.</summary>
    /// <param name="variant">The model.</param>
    /// <returns>The files, all in the first folder that has them all.</returns>
    /// <exception cref="ModelNotFoundException">
    /// No folder has all files in their full length and with their SHA-256; the message says which were searched, what is wrong, and
    /// how to get the files.
    /// </exception>
    public ModelFiles Find(SamVariant variant)
    {
        ArgumentNullException.ThrowIfNull(variant);
        if (TryFind(variant, out ModelFiles? files)) return files;

        ImmutableArray<string> problems = [.. Folders.SelectMany(folder => Problems(folder, variant))];
        var message = new StringBuilder($"{variant.DisplayName}: its files were not found in the model store.");
        foreach (string problem in problems) message.Append($"{Environment.NewLine}  {problem}");
        message.Append($"{Environment.NewLine}Download them with SamModel.LoadAsync or {nameof(ModelStore)}.{nameof(GetAsync)}, or by hand:");
        foreach (ModelFile file in variant.Files)
        {
            string from = file.Downloads.IsEmpty ? $"see {variant.Source}" : file.Downloads[0].ToString();
            message.Append($"{Environment.NewLine}  {Path.Combine(Folders[0], variant.Name, file.FileName)} from {from}");
        }

        message.Append($"{Environment.NewLine}To use another folder, set the environment variable {EnvironmentVariable}.");
        throw new ModelNotFoundException(message.ToString(), problems);
    }

    /// <summary>Finds a model's files if they are there; nothing is downloaded.</summary>
    /// <param name="variant">The model.</param>
    /// <param name="files">The files, all in the first folder that has them all.</param>
    /// <returns>False if no folder has all files in their full length and with their SHA-256.</returns>
    public bool TryFind(SamVariant variant, [NotNullWhen(true)] out ModelFiles? files)
    {
        ArgumentNullException.ThrowIfNull(variant);
        string? folder = Folders.FirstOrDefault(f => !Problems(f, variant).Any());
        files = folder is null ? null : ModelFiles.FromFolder(Path.Combine(folder, variant.Name), variant);
        return files is not null;
    }

    /// <summary>Finds a model's files, and downloads those that are missing into the first of <see cref="Folders"/>.</summary>
    /// <param name="variant">The model.</param>
    /// <param name="client">The client to download with, which stays the caller's; null for a plain one.</param>
    /// <param name="progress">Told how far each file is, from the thread that receives it.</param>
    /// <param name="cancellationToken">Stops the download; what was received is kept, to go on from another time.</param>
    /// <returns>The files, complete; those that were downloaded have the SHA-256 that the model gives them.</returns>
    /// <exception cref="ModelNotFoundException">
    /// A file could not be had, or the mirror is no http or https address; the message lists each address with what happened there.
    /// </exception>
    /// <exception cref="IOException">The folder cannot be written, or is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>
    /// A file appears in the store only when it is complete and its hash was checked. A connection that breaks is taken up
    /// again where it broke. Several processes may do this at once: each has a temporary file of its own, and the last to
    /// finish wins with the same contents.
    /// </remarks>
    public async Task<ModelFiles> GetAsync(
        SamVariant variant, HttpClient? client = null, IProgress<ModelDownloadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(variant);
        if (TryFind(variant, out ModelFiles? files)) return files;

        Uri? mirror = Mirror();
        var downloader = new ModelDownloader(client, progress);
        string folder = Path.Combine(Folders[0], variant.Name);
        foreach (ModelFile file in variant.Files)
        {
            if (Problem(folder, file, Verified, cancellationToken: cancellationToken) is null) continue;
            ModelFile source = mirror is null
                ? file
                : file with { Downloads = [new Uri(mirror, $"{variant.Name}/{file.FileName}"), .. file.Downloads] };
            await downloader.DownloadAsync(variant, source, folder, cancellationToken).ConfigureAwait(false);
            // It was hashed before it got its name.
            Verified.Keep(Path.Combine(folder, file.FileName), StretchesOf(Path.Combine(folder, file.FileName), file), file.Sha256!.ToLowerInvariant());
        }

        return ModelFiles.FromFolder(folder, variant);
    }

    /// <summary>The default store under another environment.</summary>
    /// <param name="variable">Gives an environment variable, or null.</param>
    internal static ModelStore FromEnvironment(Func<string, string?> variable)
    {
        string cache = Path.Combine(UserCache(variable), "segment-anything", "models");
        string? named = variable(EnvironmentVariable);
        string beside = Path.Combine(AppContext.BaseDirectory, "models");
        return new ModelStore(string.IsNullOrWhiteSpace(named) ? [cache, beside] : [Path.GetFullPath(named), cache, beside], variable(MirrorVariable));
    }

    // Only a download looks at it, so a bad value hinders nobody who needs none.
    private Uri? Mirror()
    {
        if (string.IsNullOrWhiteSpace(_mirror)) return null;
        // With the slash, the last part of the address is a folder, and names are added to it instead of replacing it.
        if (Uri.TryCreate(_mirror.TrimEnd('/') + "/", UriKind.Absolute, out Uri? mirror)
            && (mirror.Scheme == Uri.UriSchemeHttp || mirror.Scheme == Uri.UriSchemeHttps))
        {
            return mirror;
        }

        throw new ModelNotFoundException(
            $"The mirror '{_mirror}' ({MirrorVariable}) is not an http or https address, such as https://files.example.org/models. "
            + $"Below it a folder for each model is expected, by its name, with its files.",
            [_mirror]);
    }

    private static string UserCache(Func<string, string?> variable)
    {
        if (OperatingSystem.IsWindows())
            return Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);

        // A relative XDG path is to be ignored, says its specification.
        if (variable("XDG_CACHE_HOME") is { } cache && Path.IsPathRooted(cache)) return cache;
        string home = variable("HOME") is { Length: > 0 } named ? named : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches") : Path.Combine(home, ".cache");
    }

    // What is known of files whose hash was computed; of every folder of the store, as not each can be written to.
    private VerifiedFiles Verified => new(Path.Combine(Folders[0], ".verified"));

    private IEnumerable<string> Problems(string store, SamVariant variant)
    {
        string folder = Path.Combine(store, variant.Name);
        return variant.Files.Select(file => Problem(folder, file, Verified)).OfType<string>();
    }

    /// <summary>What is wrong with a file; null where it is as published, as far as that is known.</summary>
    /// <param name="folder">Where it should be.</param>
    /// <param name="file">What it should be.</param>
    /// <param name="verified">What is known of files: hashing gigabytes at each start would not do.</param>
    /// <param name="readAll">Read all of it, whatever is known.</param>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    internal static string? Problem(string folder, ModelFile file, VerifiedFiles verified, bool readAll = false, CancellationToken cancellationToken = default)
    {
        string path = Path.Combine(folder, file.FileName);
        var found = new FileInfo(path);
        if (!found.Exists) return $"{found.FullName}: not there";
        // A link has a length of its own.
        long length = FileStatus.Of(path)?.Length ?? found.Length;
        if (file.Bytes is { } bytes && length != bytes) return $"{found.FullName}: {length} bytes, expected {bytes}";
        if (file.Sha256 is null) return null;
        try
        {
            IReadOnlyList<(long Offset, long Length)>? stretches = StretchesOf(path, file);
            string hash = readAll ? verified.Read(path, stretches, cancellationToken) : verified.HashOf(path, stretches, cancellationToken);
            return string.Equals(hash, file.Sha256, StringComparison.OrdinalIgnoreCase) ? null : $"{found.FullName}: the SHA-256 is {hash}, expected {file.Sha256}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{found.FullName}: cannot be read: {e.Message}";
        }
    }

    /// <summary>A file of a model, wherever it is in the store, with what is wrong with it after all of it was read.</summary>
    internal IEnumerable<(string Path, ModelFile File, string? Problem)> ReadAll(SamVariant variant, CancellationToken cancellationToken)
    {
        foreach (string folder in Folders.Select(f => Path.Combine(f, variant.Name)))
        {
            foreach (ModelFile file in variant.Files.Where(f => File.Exists(Path.Combine(folder, f.FileName))))
                yield return (Path.Combine(folder, file.FileName), file, Problem(folder, file, Verified, readAll: true, cancellationToken));
        }
    }

    private static IReadOnlyList<(long Offset, long Length)>? StretchesOf(string path, ModelFile file)
    {
        if (file.Role != ModelFileRole.Checkpoint) return null;
        try
        {
            using StateDict weights = CheckpointReader.Open(path);
            return weights.Stretches;
        }
        catch (CheckpointException)
        {
            return null;
        }
    }
}
