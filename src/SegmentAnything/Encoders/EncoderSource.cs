using System.Security.Cryptography;
using System.Text;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Families;
using SegmentAnything.Graphs;
using SegmentAnything.Models;
using SegmentAnything.Networks;
using SegmentAnything.Onnx;

namespace SegmentAnything.Encoders;

/// <summary>An image encoder, ready to be run: a graph to be loaded, or a network in our own kernels.</summary>
/// <param name="Model">The bytes of the ONNX file; nothing where a checkpoint became a network.</param>
/// <param name="Path">Where it is, if it must be loaded from there because its weights are beside it; else null.</param>
/// <param name="Fingerprint">The SHA-256 of the file that is run, or that the network's weights are from, in hexadecimal.</param>
/// <param name="Tuning">What the graph asks for.</param>
/// <param name="Network">What to run instead of the model, with the same result, where it is written in our own kernels; else null. The taker owns it.</param>
internal sealed record EncoderSource(
    ReadOnlyMemory<byte> Model, string? Path, Task<string> Fingerprint, SessionTuning Tuning, NetworkSource? Network = null)
{
    /// <summary>Refuses a precision that is not offered on the first provider.</summary>
    /// <exception cref="ExecutionProviderException">It is not.</exception>
    public static void CheckPrecision(SamVariant variant, SamOptions options)
    {
        if (options.EncoderPrecision != EncoderPrecision.Int8 || options.Execution.IsOnProcessor) return;
        throw new ExecutionProviderException(
            $"The image encoder of {variant.Name}: {nameof(EncoderPrecision)}.{nameof(EncoderPrecision.Int8)} is for the CPU, and the first execution provider is {options.Execution.Providers[0].Name}. "
            + $"Use {nameof(CpuProvider)}, or {nameof(EncoderPrecision)}.{nameof(EncoderPrecision.Float32)}.");
    }

    /// <summary>Takes a model's encoder from its files; builds it from the checkpoint if there is one instead.</summary>
    /// <param name="variant">The model.</param>
    /// <param name="files">Its files.</param>
    /// <param name="weights">What its checkpoint was recognised as, where there is no image encoder among the files.</param>
    /// <param name="execution">Where it will run.</param>
    /// <param name="precision">What it is to compute in; see <see cref="CheckPrecision"/>.</param>
    /// <param name="hash">The SHA-256 of the image encoder's file, where somebody has computed it already.</param>
    /// <param name="notices">Told of what was put right: <see cref="SamOptions.Notices"/>.</param>
    /// <param name="cancellationToken">Stops the building of a graph.</param>
    /// <exception cref="ModelNotFoundException">There is neither.</exception>
    /// <exception cref="CheckpointException">The file is damaged.</exception>
    /// <exception cref="ModelContractException">The precision is not offered for this file.</exception>
    public static EncoderSource Of(
        SamVariant variant,
        ModelFiles files,
        FamilyModel? weights,
        ExecutionOptions execution,
        EncoderPrecision precision = EncoderPrecision.Float32,
        string? hash = null,
        IProgress<string>? notices = null,
        CancellationToken cancellationToken = default)
    {
        bool onProcessor = execution.IsOnProcessor;
        bool int8 = precision == EncoderPrecision.Int8;
        EncoderForm form = onProcessor ? EncoderForm.Tiled with { LargestInteger = int8 ? Int8Matrix.LargestHere : 0 } : EncoderForm.Plain;
        // Who configures sessions wants to see the model's.
        bool inOwnKernels = execution is { Providers: [CpuProvider, ..], ConfigureSession: null } && !int8;
        if (inOwnKernels && weights is not null && OfCheckpoint(weights, variant, cancellationToken) is { } network) return network;

        bool built = false;
        string? path = files.FindPath(ModelFileRole.Encoder);
        ReadOnlyMemory<byte> model;
        if (weights is not null)
        {
            path = EncoderCache.Build(weights, CacheFolder, new EncoderBuildOptions { Form = form, Notices = notices }, cancellationToken);
            model = File.ReadAllBytes(path);
            built = true;
        }
        else
        {
            model = files.Read(ModelFileRole.Encoder);
        }

        Task<string> fingerprint = hash is not null && !built ? Task.FromResult(hash) : EncoderCache.HashOf(path, model, CacheFolder);
        string name = path ?? $"the image encoder of {variant.Name}";
        ModelProto parsed = OnnxFile.Parse(model.Span, name);
        bool external = OnnxExternalData.IsUsed(parsed);
        if (external) OnnxExternalData.Check(parsed, path, name);
        // What we built was checked when it was built.
        if (!built) OnnxFile.CheckFinite(parsed.Graph, name);
        bool half = parsed.MetadataProps.Any(m => m.Key == EncoderCache.HalfRemark);
        // Some exports compute the same faster in our arrangement; one that differs from the published network is run as it is.
        if (onProcessor && !built && !external && ModelFamilies.ReadOnnxEncoder(parsed, variant, name) is { } own
            && EncoderContract.Of(parsed.Graph, name) is { HasPreprocessing: false } contract)
        {
            using StateDict stored = own.Weights;
            if (inOwnKernels && NetworkOf(own, variant, cancellationToken) is { } ownNetwork)
                return new EncoderSource(model, null, fingerprint, SessionTuning.Default, new NetworkSource(ownNetwork, contract));

            try
            {
                model = own.BuildEncoder(WeightOptions.Default, form, cancellationToken: cancellationToken).ToBytes();
                built = true;
            }
            catch (CheckpointException)
            {
                // A weight has another shape than the graph needs: the file is run as it is.
            }
        }

        if (int8 && !built)
        {
            throw new ModelContractException(
                $"The image encoder of {variant.Name}: {nameof(EncoderPrecision)}.{nameof(EncoderPrecision.Int8)} is offered for the published export of MobileSAM and for checkpoints, "
                + $"and this ONNX file is neither. Load a checkpoint, or use {nameof(EncoderPrecision)}.{nameof(EncoderPrecision.Float32)}.");
        }

        return new EncoderSource(model, external ? path : null, fingerprint, half ? SessionTuning.HalfWeights : SessionTuning.Default);
    }

    // A checkpoint whose encoder is written in our own kernels; null where it is not.
    private static EncoderSource? OfCheckpoint(FamilyModel weights, SamVariant variant, CancellationToken cancellationToken)
    {
        EncoderNetwork? network = NetworkOf(weights, variant, cancellationToken);
        if (network is null) return null;
        try
        {
            string hash = EncoderCache.HashOf(weights.Weights, CacheFolder, cancellationToken);
            // The same weights are several encoders where something decides that weights do not tell.
            if (weights.EncoderKey.Length > 0) hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(hash + weights.EncoderKey)));
            EncoderContract plain = new() { InputName = "image", OutputName = FeatureMapShape.Embedding, ImageSize = weights.Frame.EncoderSide };
            return new EncoderSource(default, null, Task.FromResult(hash), SessionTuning.Default, new NetworkSource(network, plain));
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    // Weights of other sizes than the variant's are the graph's to refuse.
    private static EncoderNetwork? NetworkOf(FamilyModel model, SamVariant variant, CancellationToken cancellationToken)
    {
        EncoderNetwork? network = model.BuildEncoderNetwork(cancellationToken);
        if (network is null || network.Outputs[0] == variant.EmbeddingChannels * variant.EmbeddingGrid * variant.EmbeddingGrid) return network;
        network.Dispose();
        return null;
    }

    /// <summary>Where graphs that were built from checkpoints are kept: in the model store.</summary>
    public static string CacheFolder => CacheFolderOf(ModelStore.Default);

    /// <summary>Where those of a model store are.</summary>
    public static string CacheFolderOf(ModelStore store) => System.IO.Path.Combine(store.Folders[0], ".built");
}

/// <summary>An encoder in our own kernels.</summary>
/// <param name="Network">The network.</param>
/// <param name="Contract">Of the model that it stands for.</param>
internal sealed record NetworkSource(EncoderNetwork Network, EncoderContract Contract);
