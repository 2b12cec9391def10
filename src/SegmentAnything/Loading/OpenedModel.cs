using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Families;
using SegmentAnything.Models;
using SegmentAnything.Onnx;

namespace SegmentAnything.Loading;

/// <summary>
/// A model's files, opened once and recognised once: what loading, inspecting and converting work on. Each file is read when
/// the part that it has is asked for.
/// </summary>
internal sealed class OpenedModel : IDisposable
{
    public const string EncoderFileName = "encoder.onnx";
    public const string DecoderFileName = "decoder.onnx";

    private readonly StateDict? _checkpoint;
    private FamilyModel? _model;
    private StateDict? _decoder;

    private OpenedModel(SamVariant variant, ModelFiles files, StateDict? checkpoint, FamilyModel? model)
    {
        Variant = variant;
        Files = files;
        _checkpoint = checkpoint;
        _model = model;
    }

    /// <summary>What the model is.</summary>
    public SamVariant Variant { get; private set; }

    /// <summary>Where its files are.</summary>
    public ModelFiles Files { get; }

    /// <summary>The SHA-256 of the image encoder's file in hexadecimal, where it was needed to recognise the model; else null.</summary>
    public string? EncoderHash { get; private init; }

    /// <summary>The image encoder is built from a checkpoint, not an ONNX file.</summary>
    public bool HasEncoderWeights => _checkpoint is not null && !Files.Roles.Contains(ModelFileRole.Encoder);

    /// <summary>What its weights were recognised as; of prompt encoder and mask decoder alone where the image encoder is an ONNX file.</summary>
    /// <exception cref="ModelNotFoundException">The decoder's file is missing.</exception>
    /// <exception cref="CheckpointException">The decoder's file is damaged or not of a known layout.</exception>
    public FamilyModel Model
    {
        get
        {
            if (_model is not null) return _model;
            _model = RecogniseDecoder();
            // The image encoder's file does not tell how images are fitted, and its square need not be the prompts' frame.
            Variant = Variant with { Fit = _model.Frame.Fit, ImageSize = _model.Frame.Side };
            return _model;
        }
    }

    /// <summary>The weights of prompt encoder and mask decoder, at least, are here.</summary>
    public bool HasModel => HasEncoderWeights || Files.Roles.Contains(ModelFileRole.Decoder);

    /// <summary>How images go in and masks come out: known of the variant alone where there is but an image encoder's ONNX file.</summary>
    public ModelFrame Frame => HasModel ? Model.Frame : ModelFrame.Of(Variant);

    /// <summary>Opens the files of a model.</summary>
    /// <exception cref="CheckpointException">A checkpoint is damaged or of no known model.</exception>
    public static OpenedModel Open(SamVariant variant, ModelFiles files, ModelSpecification? specification = null)
    {
        ArgumentNullException.ThrowIfNull(variant);
        ArgumentNullException.ThrowIfNull(files);
        if (!files.Roles.Contains(ModelFileRole.Checkpoint)) return new OpenedModel(variant, files, null, null);
        StateDict checkpoint = CheckpointReader.Open(files.Open(ModelFileRole.Checkpoint));
        return Owning(checkpoint, () => new OpenedModel(
            variant, files, checkpoint, files.Roles.Contains(ModelFileRole.Decoder) ? null : ModelFamilies.Recognise(checkpoint, specification)));
    }

    /// <summary>Opens a checkpoint, and says what model it is of by the names and shapes of its weights.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="CheckpointException">The file is no checkpoint, damaged, or of no model that is known here.</exception>
    public static OpenedModel OfCheckpoint(string path, ModelSpecification? specification = null)
    {
        StateDict checkpoint = CheckpointReader.Open(path);
        return Owning(checkpoint, () =>
        {
            FamilyModel model = ModelFamilies.Recognise(checkpoint, specification);
            return new OpenedModel(VariantOf(model), ModelFiles.FromCheckpoint(path), checkpoint, model);
        });
    }

    /// <summary>Recognises a published model by its encoder's hash, any other by its encoder's sizes.</summary>
    /// <param name="folder">
    /// Holds an image encoder and a mask decoder, as <see cref="ModelFolder"/> finds them. Its name becomes the name of a model
    /// that is not a published one.
    /// </param>
    /// <exception cref="ModelNotFoundException">A file is missing, or there are several that could be meant.</exception>
    /// <exception cref="CheckpointException">The encoder is not an ONNX file.</exception>
    /// <exception cref="ModelContractException">The encoder is not an image encoder.</exception>
    public static OpenedModel OfFolder(string folder)
    {
        (string encoderName, string decoderName) = ModelFolder.Find(folder);
        ModelFiles files = ModelFiles.FromPaths(Path.Combine(folder, encoderName), Path.Combine(folder, decoderName));
        ReadOnlyMemory<byte> encoder = files.Read(ModelFileRole.Encoder);
        string path = Path.Combine(folder, encoderName);
        string hash = EncoderCache.HashOf(path, encoder, EncoderSource.CacheFolder).GetAwaiter().GetResult();
        SamVariant? published = ModelFamilies.Published.FirstOrDefault(v => v.FindFile(ModelFileRole.Encoder)?.Sha256 == hash);
        if (published is not null) return new OpenedModel(published, files, null, null) { EncoderHash = hash };

        EncoderContract contract = EncoderContract.Of(OnnxFile.Parse(encoder.Span, path).Graph, path);
        string name = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar));
        SamVariant variant = new()
        {
            Name = name,
            DisplayName = name,
            Files = [new ModelFile(ModelFileRole.Encoder, encoderName), new ModelFile(ModelFileRole.Decoder, decoderName)],
            License = "NOASSERTION",
            Source = new Uri(Path.GetFullPath(folder)),
        };
        // What the file leaves open is taken to be as in the published models; the contract is checked when it is loaded.
        variant = variant with
        {
            ImageSize = contract.ImageSize ?? variant.ImageSize,
            EmbeddingChannels = contract.EmbeddingChannels ?? variant.EmbeddingChannels,
            EmbeddingGrid = contract.EmbeddingGrid ?? variant.EmbeddingGrid,
        };
        return new OpenedModel(variant, files, null, null) { EncoderHash = hash };
    }

    /// <summary>The published model with the sizes that were found, or one that is called as its file is.</summary>
    public static SamVariant VariantOf(FamilyModel model)
    {
        string name = Path.GetFileNameWithoutExtension(model.Weights.Source);
        FeatureMapShape embedding = model.Features[0];
        return (model.Published ?? new SamVariant
        {
            Name = name,
            DisplayName = name,
            License = "NOASSERTION",
            Source = new Uri("about:blank"),
            Files = [],
        }) with
        {
            ImageSize = model.Frame.Side,
            Fit = model.Frame.Fit,
            EmbeddingGrid = embedding.Side,
            EmbeddingChannels = embedding.Channels,
            Files = [new ModelFile(ModelFileRole.Checkpoint, Path.GetFileName(model.Weights.Source))],
        };
    }

    public void Dispose()
    {
        _checkpoint?.Dispose();
        _decoder?.Dispose();
    }

    private static OpenedModel Owning(StateDict checkpoint, Func<OpenedModel> make)
    {
        try
        {
            return make();
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    // The decoder's file, ONNX or a checkpoint of it.
    private FamilyModel RecogniseDecoder()
    {
        string source = Files.FindPath(ModelFileRole.Decoder) ?? $"the mask decoder of {Variant.Name}";
        using (ByteSource bytes = Files.Open(ModelFileRole.Decoder))
        {
            if (CheckpointReader.Recognize(bytes) == CheckpointFormat.Unknown)
            {
                ModelProto file = OnnxFile.Parse(Files.Read(ModelFileRole.Decoder).Span, source);
                OnnxExternalData.Load(file, Files.FindPath(ModelFileRole.Decoder), source);
                FamilyModel model = ModelFamilies.RecogniseOnnxDecoder(file, Variant, source);
                _decoder = model.Weights;
                return model;
            }
        }

        _decoder = CheckpointReader.Open(Files.Open(ModelFileRole.Decoder));
        return ModelFamilies.RecogniseDecoder(_decoder, Variant);
    }
}
