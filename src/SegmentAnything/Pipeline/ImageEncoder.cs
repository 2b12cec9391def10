using System.Collections.Immutable;
using System.Numerics.Tensors;
using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Encoders;
using SegmentAnything.Execution;
using SegmentAnything.Families;
using SegmentAnything.Loading;
using SegmentAnything.Networks;
using SegmentAnything.Preprocessing;

namespace SegmentAnything;

/// <summary>Turns an image into its embedding: the slow part, done once an image.</summary>
/// <remarks>Safe to use from several threads. Source: Segment Anything, modeling/image_encoder.py, modeling/sam.py (preprocess).</remarks>
public sealed class ImageEncoder : IDisposable
{
    private readonly ModelSession? _session;
    private readonly EncoderNetwork? _network;
    private readonly WorkSplitter? _splitter;
    private readonly SamVariant _variant;
    private readonly ModelFrame _frame;
    private readonly ImmutableArray<FeatureMapShape> _maps;
    private readonly EncoderContract _contract;
    private readonly long[] _inputShape;
    private readonly (float[] Mean, float[] Std, float[] Padding) _preprocessing;
    private readonly int _threads;
    private readonly UseGate _gate = new();

    // Of the bytes that were loaded: it is computed beside the loading, and not waited for before an image needs it.
    private readonly Task<string> _fingerprint;

    /// <summary>Loads the image encoder of a model.</summary>
    /// <param name="variant">Which model it is.</param>
    /// <param name="files">Where its files are.</param>
    /// <param name="options">How to run it; by default on the CPU.</param>
    /// <param name="cancellationToken">As for <see cref="SamModel.Load(SamVariant, ModelFiles, SamOptions, CancellationToken)"/>.</param>
    /// <exception cref="ModelNotFoundException">The file is missing.</exception>
    /// <exception cref="ModelContractException">
    /// The file is an ONNX model, but not an image encoder of this size, or not one that <see cref="EncoderPrecision.Int8"/>
    /// is offered for.
    /// </exception>
    /// <exception cref="ExecutionProviderException">
    /// No execution provider of the list works, or the first is not the CPU where <see cref="EncoderPrecision.Int8"/> is asked for.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left behind.</exception>
    public ImageEncoder(SamVariant variant, ModelFiles files, SamOptions? options = null, CancellationToken cancellationToken = default)
        : this(OpenedModel.Open(variant, files, options?.Specification), options ?? SamOptions.Default, disposeOpened: true, cancellationToken)
    {
    }

    /// <summary>Loads the image encoder of a model that was opened.</summary>
    internal ImageEncoder(OpenedModel opened, SamOptions options, bool disposeOpened = false, CancellationToken cancellationToken = default)
    {
        using IDisposable? disposedAfterwards = disposeOpened ? opened : null;
        SamVariant variant = _variant = opened.Variant;
        _frame = opened.Frame;
        _maps = opened.HasModel
            ? opened.Model.Features
            : [new FeatureMapShape(FeatureMapShape.Embedding, variant.EmbeddingChannels, variant.EmbeddingGrid)];
        _threads = options.Execution.Threads;
        EncoderSource.CheckPrecision(variant, options);
        (EncoderSource source, Provider, _session) = options.Execution.Choose(execution => Open(opened, options, execution, cancellationToken));
        _fingerprint = source.Fingerprint;
        if (source.Network is { } own)
        {
            _contract = own.Contract;
            _network = own.Network;
            _splitter = new WorkSplitter(_threads);
        }

        try
        {
            _contract ??= EncoderContract.Of(_session!, source.Model, variant, _frame, _maps);
            _inputShape = [.. _contract.InputShape(_frame.EncoderSide)];
            _preprocessing = _contract.Preprocessing(variant);
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>The execution provider that runs it: with a <see cref="CpuProvider"/> that one, or an <see cref="OnnxCpuProvider"/> where our kernels do not have it.</summary>
    public ExecutionProvider Provider { get; }

    /// <summary>
    /// The SHA-256 of the encoder's ONNX file, in hexadecimal, whatever the precision; of a checkpoint, that of the graph that
    /// was built from it, in its precision, or of the checkpoint itself, where our own kernels run it. Embeddings carry it.
    /// </summary>
    public string Fingerprint => _fingerprint.GetAwaiter().GetResult();

    internal string ModelName => _variant.Name;

    /// <summary>Computes the embedding of one image, to be prompted any number of times.</summary>
    /// <param name="image">
    /// Pixels in rows from the top, 8 bits a channel, any size from 1x1. Channel order is given by
    /// <see cref="PixelBuffer.Format"/>; alpha is ignored.
    /// </param>
    /// <param name="cancellationToken">Stops the work soon: within the resizing of a large image, and after the operator under way.</param>
    /// <returns>
    /// The model's maps, of which the first is the embedding, of shape channels x rows x columns (256 x 64 x 64), row-major, in
    /// pooled memory that the caller disposes. They remember the source size, in pixels.
    /// </returns>
    /// <exception cref="ArgumentException">The image is the default value, without memory.</exception>
    /// <exception cref="ModelContractException">The network could not be run, or gave NaN or infinity.</exception>
    /// <exception cref="ObjectDisposedException">The encoder was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>
    /// The longer side is resized to the model's size (1024) as Pillow resizes, antialiased, each channel is normalised,
    /// and the rest is padded with zeros on the right and bottom. A graph that normalises by itself is given pixels, padded
    /// with the mean; one that takes bytes, with the mean rounded, which it makes a padding of 0.01 at most.
    /// Source: Segment Anything, utils/transforms.py (ResizeLongestSide), modeling/sam.py (preprocess).
    /// </remarks>
    public ImageEmbedding Encode(PixelBuffer image, CancellationToken cancellationToken = default)
    {
        Operation? operation = Operation.BeginEncode(_variant.Name, image);
        if (operation is null) return EncodeUnobserved(image, cancellationToken);
        try
        {
            ImageEmbedding embedding = EncodeUnobserved(image, cancellationToken);
            operation.Succeed();
            return embedding;
        }
        catch (Exception e)
        {
            operation.Fail(e);
            throw;
        }
    }

    /// <summary>Computes the embedding of one image on another thread. See <see cref="Encode(PixelBuffer, CancellationToken)"/>.</summary>
    /// <param name="image">Pixels in rows from the top; their memory must stay unchanged until the task has ended.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>A task with the embedding, which the caller disposes; every exception comes with the task.</returns>
    public Task<ImageEmbedding> EncodeAsync(PixelBuffer image, CancellationToken cancellationToken = default) =>
        Task.Run(() => Encode(image, cancellationToken), cancellationToken);

    private ImageEmbedding EncodeUnobserved(PixelBuffer image, CancellationToken cancellationToken)
    {
        using UseGate.Use use = _gate.Enter(this);
        if (image.Width == 0) throw new ArgumentException("The image is empty: make it with one of PixelBuffer's methods.", nameof(image));
        cancellationToken.ThrowIfCancellationRequested();

        int size = _frame.EncoderSide;
        using MemoryOwner<float> input = MemoryOwner<float>.Allocate(3 * size * size);
        if (_frame.Resize == PictureResize.Floats)
        {
            FloatEncoderInput.Write(
                image, size, size, Array.ConvertAll(_preprocessing.Mean, ToUnit), Array.ConvertAll(_preprocessing.Std, ToUnit), input.Span, _threads, cancellationToken);
        }
        else if (_frame.Resize == PictureResize.FloatsWithoutAntialias)
        {
            PlainEncoderInput.Write(image, size, _preprocessing.Mean, _preprocessing.Std, input.Span, _threads, cancellationToken);
        }
        else
        {
            EncoderInput.Write(
                image, new ImageFrame(image.Size, size, _frame.Fit).ResizedSize, size, _preprocessing.Mean, _preprocessing.Std, input.Span, _threads,
                _preprocessing.Padding, cancellationToken);
        }

        cancellationToken.ThrowIfCancellationRequested();

        MemoryOwner<float> values = MemoryOwner<float>.Allocate(_maps.Sum(map => map.Length));
        try
        {
            if (_network is not null)
            {
                _network.Run(input.Span, values.Span, _splitter!, cancellationToken);
            }
            else
            {
                RunSession(input.Memory, values.Memory, cancellationToken);
            }

            // NaN and infinity are never told by their masks, which are empty.
            if (!float.IsFinite(TensorPrimitives.MaxMagnitude<float>(values.Span)))
            {
                throw new ModelContractException(
                    $"The image encoder of {_variant.Name} gave an embedding with NaN or infinity on {Provider.Name}. Its weights are damaged or too large for the precision it computes in; check them with segment-anything verify.");
            }

            return new ImageEmbedding(values, _maps, _frame.Of(image.Size), _variant.Name, Fingerprint);
        }
        catch
        {
            values.Dispose();
            throw;
        }
    }

    /// <summary>Computes the embedding of an image in unmanaged or stack memory. See the other overload for the rest.</summary>
    /// <param name="pixels">The bytes; the last row needs no padding.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="format">The order of the channels.</param>
    /// <param name="stride">Bytes from the start of one row to the start of the next; 0 where rows touch.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <exception cref="ArgumentException">The memory is shorter than the image, or a size is out of range.</exception>
    /// <exception cref="ObjectDisposedException">The encoder was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public unsafe ImageEmbedding Encode(
        ReadOnlySpan<byte> pixels, int width, int height, PixelFormat format, int stride = 0, CancellationToken cancellationToken = default)
    {
        fixed (byte* start = pixels)
        {
            using PointerMemory memory = new(start, pixels.Length);
            return Encode(new PixelBuffer(memory.Memory, width, height, format, stride), cancellationToken);
        }
    }

    private static (EncoderSource Source, ExecutionProvider Provider, ModelSession? Session) Open(
        OpenedModel opened, SamOptions options, ExecutionOptions execution, CancellationToken cancellationToken)
    {
        EncoderSource source = EncoderSource.Of(
            opened.Variant, opened.Files, opened.HasEncoderWeights ? opened.Model : null, execution, options.EncoderPrecision, opened.EncoderHash, options.Notices,
            cancellationToken);
        if (cancellationToken.IsCancellationRequested) source.Network?.Network.Dispose();
        cancellationToken.ThrowIfCancellationRequested();
        if (source.Network is not null) return (source, execution.Providers[0], null);
        ModelSession session = source.Path is null
            ? SessionFactory.Create(source.Model, opened.Files.FindPath(ModelFileRole.Encoder) ?? $"the image encoder of {opened.Variant.Name}", execution, source.Tuning)
            : SessionFactory.Create(source.Path, execution, source.Tuning);
        return (source, session.Provider, session);
    }

    // A method of its own, so that who runs our kernels touches nothing of ONNX Runtime.
    private void RunSession(Memory<float> input, Memory<float> values, CancellationToken cancellationToken)
    {
        using TensorList inputs = new();
        AddPicture(inputs, input);
        using TensorList outputs = new();
        int start = 0;
        foreach (FeatureMapShape map in _maps)
        {
            outputs.Add(_contract.OutputOf(map), values[start..], 1, map.Channels, map.Side, map.Side);
            start += map.Length;
        }

        _session!.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
    }

    // From 0 to 255 to 0 to 1. Rounded, so that the published numbers, which have three digits, are the nearest floats.
    private static float ToUnit(float value) => (float)Math.Round(value / 255.0, 6);

    // Planes of floats are what nearly every encoder takes. The others are a copy away, which is nothing beside the network.
    private void AddPicture(TensorList inputs, Memory<float> planar)
    {
        if (_contract is { IsInterleaved: false, IsBytes: false })
        {
            inputs.Add(_contract.InputName, planar, _inputShape);
            return;
        }

        float[] picture = new float[planar.Length];
        ReadOnlySpan<float> planes = planar.Span;
        int plane = picture.Length / 3;
        if (_contract.IsInterleaved)
        {
            for (int i = 0; i < plane; i++)
            {
                for (int channel = 0; channel < 3; channel++) picture[(3 * i) + channel] = planes[(channel * plane) + i];
            }
        }
        else
        {
            planes.CopyTo(picture);
        }

        if (_contract.IsBytes) inputs.Add(_contract.InputName, Array.ConvertAll(picture, v => (byte)v).AsMemory(), _inputShape);
        else inputs.Add(_contract.InputName, picture.AsMemory(), _inputShape);
    }

    /// <summary>Releases the network, after calls that are under way on other threads have ended.</summary>
    public void Dispose()
    {
        if (_gate.Close()) Release();
    }

    private void Release()
    {
        _session?.Dispose();
        _splitter?.Dispose();
        _network?.Dispose();
    }
}
