using System.Runtime.Intrinsics;
using SegmentAnything.Checkpoints;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>
/// SAM's mask decoder on the processor, in our own kernels. It goes over the image in tiles that stay in the cache, four
/// times a prompt, with only token-sized work between the passes.
/// </summary>
/// <remarks>
/// <para>
/// Pass 1: tokens attend to the image in layer 0, whose keys and values belong to the image alone.
/// Pass 2, tile by tile: the image attends to the tokens (layer 0), LayerNorm, and at once the tokens attend to the new
/// image (layer 1). Pass 3: the same again, layer 1 and the final attention. Pass 4: upscaling and the masks' products.
/// </para>
/// <para>
/// The image tokens that a prompt makes are never formed: they are coordinates, see <see cref="ImageMaps"/>. Safe to call from several threads. In steady state a call allocates no managed memory. A prompt's result does
/// not depend on the batch that it is in, nor on which thread did what.
/// </para>
/// </remarks>
internal sealed class TiledMaskDecoder : IMaskDecoderEngine
{
    /// <summary>Parts of an image that threads can work on at the same time; a few threads need few, which cost least.</summary>
    private const int FewSegments = 4, ManySegments = 16;

    private readonly TiledDecoderWeights _weights;
    private readonly WorkSplitter _splitter;
    private readonly int _vectorWidth;
    private readonly object _lock = new();
    private readonly Dictionary<int, TiledGrid> _grids = [];
    private readonly Stack<TiledDecoding> _idle = new();
    private readonly Stack<TiledBatch> _idleBatches = new();
    private bool _disposed;

    /// <summary>Builds the decoder.</summary>
    /// <param name="weights">Weights under their official names; they may be disposed afterwards.</param>
    /// <param name="layout">Their sizes, of which <see cref="Supports"/> is true.</param>
    /// <param name="splitter">The threads to use; it must outlive the decoder.</param>
    /// <param name="refinement">A mask beside the others; null where there is none.</param>
    /// <exception cref="CheckpointException">A tensor is missing, or its shape does not fit.</exception>
    public TiledMaskDecoder(StateDict weights, DecoderLayout layout, WorkSplitter splitter, MaskRefinement? refinement = null)
        : this(weights, layout, splitter, Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4, refinement)
    {
    }

    /// <summary>Builds the decoder with vectors of 4, 8 or 16 floats, whether the processor has them or not.</summary>
    internal TiledMaskDecoder(StateDict weights, DecoderLayout layout, WorkSplitter splitter, int vectorWidth, MaskRefinement? refinement = null)
    {
        if (vectorWidth is not (4 or 8 or 16))
            throw new ArgumentOutOfRangeException(nameof(vectorWidth), vectorWidth, "Vectors have 4, 8 or 16 floats.");
        _weights = new TiledDecoderWeights(weights, layout, refinement);
        _splitter = splitter;
        _vectorWidth = vectorWidth;
    }

    /// <summary>Can this engine run a decoder of these sizes?</summary>
    public static bool Supports(DecoderLayout layout, MaskRefinement? refinement = null) => TiledDecoderWeights.Supports(layout, refinement);

    /// <inheritdoc/>
    public unsafe IPreparedImage Prepare(
        ReadOnlySpan<float> features, ReadOnlySpan<float> dense, IPreparedImage? withoutMask, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int channels = _weights.Channels;
        int perPosition = _weights.ValuesPerPosition, side = (int)Math.Sqrt(features.Length / perPosition), values = side * side * channels;
        if (side == 0 || side * side * perPosition != features.Length)
        {
            throw new ArgumentException(
                $"The maps of the image have {features.Length} values, expected {perPosition} x G x G for some grid size G.", nameof(features));
        }

        if (dense.Length != channels && dense.Length != values)
        {
            throw new ArgumentException(
                $"The dense prompt has {dense.Length} values, expected {channels} (one a channel) or {values} (one for every value of the embedding).",
                nameof(dense));
        }

        TiledGrid grid = GridOf(side);
        TiledDecoding decoding = Rent();
        try
        {
            fixed (float* embeddingValues = features, denseValues = dense)
            {
                // An encoded mask needs little beside what the image without it has. Other values at every position do not.
                if (dense.Length > channels && withoutMask is TiledPreparedImage { IsWithoutMask: true } known && known.Grid == grid && known.Owner == _weights)
                {
                    TiledPreparedImage masked = new(_weights, grid, known);
                    if (Filled(masked, embeddingValues, denseValues, false)) return masked;
                    masked.Dispose();
                }

                TiledPreparedImage image = new(_weights, grid, null) { IsWithoutMask = dense.SequenceEqual(new ReadOnlySpan<float>(_weights.WithoutMask, channels)) };
                Filled(image, embeddingValues, denseValues, dense.Length == channels);
                return image;
            }
        }
        finally
        {
            Return(decoding);
        }

        bool Filled(TiledPreparedImage image, float* embedding, float* dense, bool denseIsUniform)
        {
            try
            {
                return decoding.Prepare(image, embedding, dense, denseIsUniform, cancellationToken);
            }
            catch
            {
                image.Dispose();
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public unsafe void Decode(in DecodeRequest request, in DecodeResult result, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (request.Image is not TiledPreparedImage prepared || prepared.Owner != _weights)
            throw new ArgumentException("The image was not prepared by this decoder.", nameof(request));
        ObjectDisposedException.ThrowIf(prepared.IsDisposed, request.Image);
        if (!result.MaskTokens.IsEmpty || (!result.ObjectScores.IsEmpty && _weights.ScoreHead.Length == 0))
            throw new NotSupportedException("The tiled decoder gives no mask tokens, and object scores only where the network has them.");
        (int prompts, int tokensPerPrompt) = (request.Prompts, request.TokensPerPrompt);
        ArgumentOutOfRangeException.ThrowIfNegative(prompts, nameof(request));
        ArgumentOutOfRangeException.ThrowIfNegative(tokensPerPrompt, nameof(request));
        WantedMasks wanted = request.Wanted;
        if (wanted.First < 0 || wanted.Count < 1 || wanted.First + wanted.Count > _weights.MaskTokens)
        {
            throw new ArgumentOutOfRangeException(
                nameof(request), $"Masks {wanted.First} to {wanted.First + wanted.Count - 1} were asked for; there are masks 0 to {_weights.MaskTokens - 1}.");
        }

        Require(request.Tokens.Length, (long)prompts * tokensPerPrompt * _weights.Channels, nameof(request.Tokens));
        Require(result.Logits.Length, (long)prompts * wanted.Count * DecoderLayout.Upscaling * DecoderLayout.Upscaling * prepared.Grid.Tokens, nameof(result.Logits));
        Require(result.PredictedIou.Length, (long)prompts * wanted.Count, nameof(result.PredictedIou));
        if (!result.ObjectScores.IsEmpty) Require(result.ObjectScores.Length, prompts, nameof(result.ObjectScores));
        if (prompts == 0) return;

        TiledBatch batch = RentBatch();
        try
        {
            fixed (float* tokenValues = request.Tokens, logitValues = result.Logits, iouValues = result.PredictedIou, scoreValues = result.ObjectScores)
            {
                batch.Decode(prepared, tokenValues, prompts, tokensPerPrompt, wanted, logitValues, iouValues, scoreValues, cancellationToken);
            }
        }
        finally
        {
            lock (_lock) _idleBatches.Push(batch);
        }
    }

    /// <summary>Frees the weights. No call may be in progress.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            while (_idle.TryPop(out TiledDecoding? decoding)) decoding.Dispose();
            foreach (TiledGrid grid in _grids.Values) grid.Dispose();
        }

        _weights.Dispose();
    }

    private static void Require(int found, long expected, string name)
    {
        if (found != expected) throw new ArgumentException($"The span has {found} values, expected {expected}.", name);
    }

    private TiledGrid GridOf(int side)
    {
        int segments = _splitter.Threads <= FewSegments ? FewSegments : ManySegments;
        lock (_lock)
        {
            if (_grids.TryGetValue(side, out TiledGrid? known)) return known;
            TiledGrid grid = new(side, segments, _weights);
            TiledDecoding decoding = Rent();
            decoding.Prepare(grid);
            _idle.Push(decoding);
            _grids.Add(side, grid);
            return grid;
        }
    }

    private TiledBatch RentBatch()
    {
        lock (_lock) return _idleBatches.TryPop(out TiledBatch? batch) ? batch : new TiledBatch(this, _splitter, _weights.Channels);
    }

    /// <summary>An object that can decode, with its memory: an idle one, or a new one.</summary>
    internal TiledDecoding Rent()
    {
        lock (_lock)
        {
            if (_idle.TryPop(out TiledDecoding? decoding)) return decoding;
        }

        return _vectorWidth switch
        {
            16 => new TiledDecoding<Simd512, Vector512<float>>(_weights, _splitter),
            8 => new TiledDecoding<Simd256, Vector256<float>>(_weights, _splitter),
            _ => new TiledDecoding<Simd128, Vector128<float>>(_weights, _splitter),
        };
    }

    internal void Return(TiledDecoding decoding)
    {
        lock (_lock)
        {
            if (_disposed) decoding.Dispose();
            else _idle.Push(decoding);
        }
    }
}
