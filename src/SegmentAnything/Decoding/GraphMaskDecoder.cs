using System.Numerics.Tensors;
using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Graphs;

namespace SegmentAnything.Decoding;

/// <summary>
/// The mask decoder as ONNX graphs that any execution provider runs: what depends on the image once, then many prompts
/// a call.
/// </summary>
internal sealed class GraphMaskDecoder : IMaskDecoderEngine
{
    /// <summary>
    /// Prompts a call. Each takes about 40 MB of intermediate values; beyond 8 neither time nor anything else is won
    /// on the CPU.
    /// </summary>
    private const int PromptsPerCall = 8;

    private readonly ModelSession _prepare;
    private readonly ModelSession _transformer;
    private readonly ModelSession _upscale;
    private readonly DecoderLayout _layout;
    private readonly int _grid;

    /// <summary>Builds the graphs and their sessions.</summary>
    /// <param name="weights">Official names; see <see cref="DecoderLayout"/>.</param>
    /// <param name="grid">The side of the image embedding.</param>
    /// <param name="execution">Where to run.</param>
    public GraphMaskDecoder(StateDict weights, int grid, ExecutionOptions execution)
    {
        _layout = DecoderLayout.Of(weights);
        _grid = grid;
        DecoderGraphSet graphs = DecoderGraphs.Build(weights, grid);
        List<ModelSession> opened = [];
        try
        {
            foreach (byte[] graph in (ReadOnlySpan<byte[]>)[graphs.Prepare, graphs.Transformer, graphs.Upscale])
                opened.Add(SessionFactory.Create(graph, "the mask decoder's graph", execution));
        }
        catch
        {
            foreach (ModelSession session in opened) session.Dispose();
            throw;
        }

        (_prepare, _transformer, _upscale) = (opened[0], opened[1], opened[2]);
    }

    /// <summary>The provider that runs it.</summary>
    public ExecutionProvider Provider => _transformer.Provider;

    private int Positions => _grid * _grid;

    private int HeadChannels => _layout.AttentionChannels / DecoderLayout.Heads;

    public IPreparedImage Prepare(
        ReadOnlySpan<float> imageEmbedding, ReadOnlySpan<float> dense, IPreparedImage? withoutMask, CancellationToken cancellationToken)
    {
        int denseSide = dense.Length == _layout.Channels ? 1 : _grid;
        PreparedGraphImage image = new(
            MemoryOwner<float>.Allocate(Positions * _layout.Channels),
            MemoryOwner<float>.Allocate(Positions * _layout.AttentionChannels),
            MemoryOwner<float>.Allocate(Positions * _layout.AttentionChannels),
            MemoryOwner<float>.Allocate(Positions * _layout.AttentionChannels));
        try
        {
            using TensorList inputs = new();
            inputs.AddCopy("image_embedding", imageEmbedding, 1, _layout.Channels, _grid, _grid);
            inputs.AddCopy("dense", dense, 1, _layout.Channels, denseSide, denseSide);
            using TensorList outputs = new();
            AddPrepared(outputs, image);
            _prepare.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    public void Decode(
        IPreparedImage image,
        ReadOnlySpan<float> tokens,
        int promptCount,
        int tokensPerPrompt,
        in WantedMasks wanted,
        Span<float> logits,
        Span<float> predictedIou,
        CancellationToken cancellationToken)
    {
        PreparedGraphImage prepared = (PreparedGraphImage)image;
        int most = Math.Min(PromptsPerCall, promptCount);
        int masks = _layout.MaskTokens, maskCount = wanted.Count;
        int maskSize = 16 * Positions;
        using MemoryOwner<float> imageTokens = MemoryOwner<float>.Allocate(most * Positions * _layout.Channels);
        using MemoryOwner<float> hyper = MemoryOwner<float>.Allocate(most * masks * _layout.UpscaleChannels2);
        using MemoryOwner<float> iou = MemoryOwner<float>.Allocate(most * masks);
        using MemoryOwner<float> lowRes = MemoryOwner<float>.Allocate(most * maskCount * maskSize);
        for (int start = 0; start < promptCount; start += most)
        {
            int count = Math.Min(most, promptCount - start);
            int tokenValues = tokensPerPrompt * _layout.Channels;
            Transform(prepared, tokens.Slice(start * tokenValues, count * tokenValues), count, tokensPerPrompt,
                imageTokens.Memory, hyper.Memory, iou.Memory, cancellationToken);
            KeepMasks(hyper.Span, count, masks, _layout.UpscaleChannels2, wanted.First, maskCount);
            KeepMasks(iou.Span, count, masks, 1, wanted.First, maskCount);
            iou.Span[..(count * maskCount)].CopyTo(predictedIou[(start * maskCount)..]);

            // A call of the graph upscales all of its prompts or none.
            if (TensorPrimitives.Max(iou.Span[..(count * maskCount)]) < wanted.LeastPredictedIou) continue;
            Upscale(imageTokens.Memory, hyper.Memory, count, maskCount, lowRes.Memory, cancellationToken);
            lowRes.Span[..(count * maskCount * maskSize)].CopyTo(logits[(start * maskCount * maskSize)..]);
        }
    }

    public void Dispose()
    {
        _prepare.Dispose();
        _transformer.Dispose();
        _upscale.Dispose();
    }

    /// <summary>Moves the wanted masks' rows to the front: count x masks x width becomes count x wanted x width.</summary>
    private static void KeepMasks(Span<float> values, int count, int masks, int width, int first, int wanted)
    {
        if (wanted == masks) return;
        for (int prompt = 0; prompt < count; prompt++)
        {
            values.Slice(((prompt * masks) + first) * width, wanted * width)
                .CopyTo(values.Slice(prompt * wanted * width, wanted * width));
        }
    }

    private void AddPrepared(TensorList list, PreparedGraphImage image)
    {
        list.Add("keys", image.Keys.Memory, Positions, _layout.Channels);
        list.Add("k0", image.K0.Memory, DecoderLayout.Heads, HeadChannels, Positions);
        list.Add("v0", image.V0.Memory, DecoderLayout.Heads, Positions, HeadChannels);
        list.Add("q0", image.Q0.Memory, DecoderLayout.Heads, Positions, HeadChannels);
    }

    private void Transform(
        PreparedGraphImage prepared, ReadOnlySpan<float> tokens, int count, int tokensPerPrompt,
        Memory<float> imageTokens, Memory<float> hyper, Memory<float> iou, CancellationToken cancellationToken)
    {
        using TensorList inputs = new();
        AddPrepared(inputs, prepared);
        inputs.AddCopy("sparse", tokens, count, tokensPerPrompt, _layout.Channels);
        using TensorList outputs = new();
        outputs.Add("image_tokens", imageTokens, count, Positions, _layout.Channels);
        outputs.Add("hyper", hyper, count, _layout.MaskTokens, _layout.UpscaleChannels2);
        outputs.Add("iou", iou, count, _layout.MaskTokens);
        _transformer.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
    }

    private void Upscale(
        Memory<float> imageTokens, Memory<float> hyper, int count, int maskCount,
        Memory<float> logits, CancellationToken cancellationToken)
    {
        using TensorList inputs = new();
        inputs.Add("image_tokens", imageTokens, count, Positions, _layout.Channels);
        inputs.Add("hyper", hyper, count, maskCount, _layout.UpscaleChannels2);
        using TensorList outputs = new();
        outputs.Add("logits", logits, count, maskCount, 4 * _grid, 4 * _grid);
        _upscale.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
    }

    private sealed record PreparedGraphImage(
        MemoryOwner<float> Keys, MemoryOwner<float> K0, MemoryOwner<float> V0, MemoryOwner<float> Q0) : IPreparedImage
    {
        public void Dispose()
        {
            Keys.Dispose();
            K0.Dispose();
            V0.Dispose();
            Q0.Dispose();
        }
    }
}
