using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Families;
using SegmentAnything.Models;
using SegmentAnything.Onnx;

namespace SegmentAnything;

/// <summary>
/// Reads models wholly: their hashes, and every weight. Loading trusts what was read once as long as the file is the same by its
/// length, times, number and a sample of each tensor.
/// </summary>
public static class ModelVerifier
{
    private static readonly string[] Extensions = [".onnx", ".pth", ".pt", ".bin", ".safetensors", ".zip"];

    /// <summary>Whether a file's name is that of a model's file: a checkpoint or an ONNX file.</summary>
    /// <param name="path">The file.</param>
    public static bool IsModelFile(string path) => Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads a checkpoint or an ONNX file: its hash, and whether every weight is there and a finite number.</summary>
    /// <param name="path">The file, whatever its name.</param>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    /// <returns>What was found; a file that cannot be read has a problem, and is no exception.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static FileVerification Verify(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string? hash = null;
        try
        {
            using (ByteSource source = ByteSource.OpenFile(path))
            {
                hash = FileHash.Of(path, cancellationToken);
                if (SamModels.All.SelectMany(v => v.Files).Any(f => string.Equals(f.Sha256, hash, StringComparison.OrdinalIgnoreCase))) return new FileVerification(path, hash, true, null);
                if (CheckpointReader.Recognize(source) == CheckpointFormat.Unknown)
                {
                    CheckOnnx(path, source);
                    return new FileVerification(path, hash, false, null);
                }
            }

            using StateDict weights = CheckpointReader.Open(path);
            foreach (string name in weights.Tensors.Keys)
            {
                cancellationToken.ThrowIfCancellationRequested();
                _ = weights.ReadAny(name);
            }

            return new FileVerification(path, hash, false, null);
        }
        catch (Exception e) when (e is CheckpointException or IOException or UnauthorizedAccessException)
        {
            return new FileVerification(path, hash, false, e.Message);
        }
    }

    /// <summary>Reads the files of a published model in a model store.</summary>
    /// <param name="variant">The model.</param>
    /// <param name="store">The store; every folder of it that has a file of the model is looked at.</param>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    /// <returns>One a file that is there. Where its SHA-256 is known, that decides; else as <see cref="Verify(string, CancellationToken)"/> does.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IEnumerable<FileVerification> Verify(SamVariant variant, ModelStore store, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(variant);
        ArgumentNullException.ThrowIfNull(store);
        return Read();

        IEnumerable<FileVerification> Read()
        {
            foreach ((string path, ModelFile file, string? problem) in store.ReadAll(variant, cancellationToken))
            {
                if (problem is not null) yield return new FileVerification(path, null, false, problem.Replace(path + ": ", "", StringComparison.Ordinal));
                else yield return file.Sha256 is null ? Verify(path, cancellationToken) : new FileVerification(path, file.Sha256, true, null);
            }
        }
    }

    /// <summary>Reads everything in a model store: the published models, and the image encoders that were built of checkpoints.</summary>
    /// <param name="store">The store.</param>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    /// <returns>One a file that is there, one a folder that was built.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IEnumerable<FileVerification> VerifyStore(ModelStore store, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        return SamModels.All.SelectMany(variant => Verify(variant, store, cancellationToken)).Concat(Built());

        IEnumerable<FileVerification> Built()
        {
            string cache = EncoderSource.CacheFolderOf(store);
            if (!Directory.Exists(cache)) yield break;
            foreach (string folder in Directory.EnumerateDirectories(cache).Order(StringComparer.Ordinal))
            {
                string encoder = Path.Combine(folder, EncoderCache.EncoderFileName);
                if (!File.Exists(encoder)) continue;
                yield return new FileVerification(encoder, FileHash.Of(encoder, cancellationToken), false, EncoderCache.ProblemOf(folder, null, cancellationToken));
            }
        }
    }

    private static void CheckOnnx(string path, ByteSource source)
    {
        if (source.Length > int.MaxValue) throw new CheckpointException($"{path}: {source.Length} bytes are too many for an ONNX file, and it is no checkpoint.");
        ModelProto model = OnnxFile.Parse(source.Read(0, (int)source.Length), path);
        OnnxFile.CheckFinite(model.Graph, path);
        OnnxExternalData.CheckFinite(model, path, path);
    }
}
