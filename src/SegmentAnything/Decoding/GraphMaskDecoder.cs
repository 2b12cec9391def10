using System.Collections.Immutable;
using System.Numerics.Tensors;
using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Execution;

namespace SegmentAnything.Decoding;

/// <summary>
/// A mask decoder as ONNX graphs that any execution provider runs: what depends on the image once, then many prompts a call.
/// The graphs are bound by the names of their tensors, so that a family's own maps and tokens need nothing here.
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
    private readonly ImmutableArray<FeatureMapShape> _features;
    private readonly int _channels;
    private readonly int _masks;
    private readonly int _lowResSize;
    private readonly (string Name, long[] Shape)[] _prepared;

    // What goes from the transformer to the upscaling for each prompt, whole; the chosen rows of "hyper" are apart.
    private readonly (string Name, long[] Shape)[] _between;
    private readonly int _hyperLength;

    /// <summary>Makes the sessions.</summary>
    /// <param name="graphs">The network.</param>
    /// <param name="features">The maps of an image, in their order.</param>
    /// <param name="lowResSize">The side of the low-resolution logits.</param>
    /// <param name="execution">Where to run.</param>
    /// <exception cref="ExecutionProviderException">No provider of the list works.</exception>
    public GraphMaskDecoder(DecoderGraphSet graphs, ImmutableArray<FeatureMapShape> features, int lowResSize, ExecutionOptions execution)
    {
        _features = features;
        _lowResSize = lowResSize;
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
        _channels = _transformer.Inputs[DecoderGraphSet.Sparse].Dimensions[^1];
        _masks = _transformer.Outputs[DecoderGraphSet.Iou].Dimensions[^1];
        _hyperLength = _transformer.Outputs[DecoderGraphSet.Hyper].Dimensions[^1];
        _prepared = [.. _prepare.Outputs.Select(o => (o.Key, Shape(o.Value)))];
        _between = [.. _transformer.Outputs.Where(o => o.Key != DecoderGraphSet.Hyper && _upscale.Inputs.ContainsKey(o.Key)).Select(o => (o.Key, Shape(o.Value)))];

        static long[] Shape(TensorContract tensor) => [.. tensor.Dimensions.Select(d => (long)d)];
    }

    /// <summary>The provider that runs it.</summary>
    public ExecutionProvider Provider => _transformer.Provider;

    public IPreparedImage Prepare(
        ReadOnlySpan<float> features, ReadOnlySpan<float> dense, IPreparedImage? withoutMask, CancellationToken cancellationToken)
    {
        PreparedGraphImage image = new([.. _prepared.Select(p => (p.Name, MemoryOwner<float>.Allocate(Count(p.Shape)), p.Shape))]);
        try
        {
            using TensorList inputs = new();
            int start = 0;
            foreach (FeatureMapShape map in _features)
            {
                if (_prepare.Inputs.ContainsKey(map.Name))
                    inputs.AddCopy(map.Name, features.Slice(start, map.Length), 1, map.Channels, map.Side, map.Side);
                start += map.Length;
            }

            int denseSide = dense.Length == _channels ? 1 : _features[0].Side;
            if (_prepare.Inputs.ContainsKey(DecoderGraphSet.Dense)) inputs.AddCopy(DecoderGraphSet.Dense, dense, 1, _channels, denseSide, denseSide);
            using TensorList outputs = new();
            image.AddTo(outputs, _ => true);
            _prepare.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    public void Decode(in DecodeRequest request, in DecodeResult result, CancellationToken cancellationToken)
    {
        if ((!result.ObjectScores.IsEmpty && !_transformer.Outputs.ContainsKey(DecoderGraphSet.ObjectScore))
            || (!result.MaskTokens.IsEmpty && !_transformer.Outputs.ContainsKey(DecoderGraphSet.MaskTokens)))
        {
            throw new NotSupportedException("This network gives no object scores, or its mask tokens are not among its outputs.");
        }

        PreparedGraphImage image = (PreparedGraphImage)request.Image;
        WantedMasks wanted = request.Wanted;
        int most = Math.Min(PromptsPerCall, request.Prompts), maskSize = _lowResSize * _lowResSize;
        List<(string Name, MemoryOwner<float> Memory, long[] Shape)> between =
            [.. _between.Select(b => (b.Name, MemoryOwner<float>.Allocate(most * Count(b.Shape)), b.Shape))];
        try
        {
            using MemoryOwner<float> hyper = MemoryOwner<float>.Allocate(most * _masks * _hyperLength);
            using MemoryOwner<float> iou = MemoryOwner<float>.Allocate(most * _masks);
            using MemoryOwner<float> scores = MemoryOwner<float>.Allocate(result.ObjectScores.IsEmpty ? 0 : most);
            using MemoryOwner<float> maskTokens = MemoryOwner<float>.Allocate(result.MaskTokens.IsEmpty ? 0 : most * _masks * _channels);
            using MemoryOwner<float> lowRes = MemoryOwner<float>.Allocate(most * wanted.Count * maskSize);
            for (int start = 0; start < request.Prompts; start += most)
            {
                int count = Math.Min(most, request.Prompts - start), tokenValues = request.TokensPerPrompt * _channels;
                using (TensorList inputs = new())
                using (TensorList outputs = new())
                {
                    image.AddTo(inputs, _transformer.Inputs.ContainsKey);
                    inputs.AddCopy(DecoderGraphSet.Sparse, request.Tokens.Slice(start * tokenValues, count * tokenValues), count, request.TokensPerPrompt, _channels);
                    foreach ((string name, MemoryOwner<float> memory, long[] shape) in between) outputs.Add(name, memory.Memory, [count, .. shape[1..]]);
                    outputs.Add(DecoderGraphSet.Hyper, hyper.Memory, count, _masks, _hyperLength);
                    outputs.Add(DecoderGraphSet.Iou, iou.Memory, count, _masks);
                    if (scores.Length > 0) outputs.Add(DecoderGraphSet.ObjectScore, scores.Memory, count, 1);
                    if (maskTokens.Length > 0) outputs.Add(DecoderGraphSet.MaskTokens, maskTokens.Memory, count, _masks, _channels);
                    _transformer.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
                }

                Keep(hyper.Span, count, _hyperLength, wanted);
                Keep(iou.Span, count, 1, wanted);
                iou.Span[..(count * wanted.Count)].CopyTo(result.PredictedIou[(start * wanted.Count)..]);
                if (scores.Length > 0) scores.Span[..count].CopyTo(result.ObjectScores[start..]);
                if (maskTokens.Length > 0)
                {
                    Keep(maskTokens.Span, count, _channels, wanted);
                    maskTokens.Span[..(count * wanted.Count * _channels)].CopyTo(result.MaskTokens[(start * wanted.Count * _channels)..]);
                }

                // A call of the graph upscales all of its prompts or none.
                if (TensorPrimitives.Max(iou.Span[..(count * wanted.Count)]) < wanted.LeastPredictedIou) continue;
                using (TensorList inputs = new())
                using (TensorList outputs = new())
                {
                    image.AddTo(inputs, _upscale.Inputs.ContainsKey);
                    foreach ((string name, MemoryOwner<float> memory, long[] shape) in between) inputs.Add(name, memory.Memory, [count, .. shape[1..]]);
                    inputs.Add(DecoderGraphSet.Hyper, hyper.Memory, count, wanted.Count, _hyperLength);
                    outputs.Add(DecoderGraphSet.Logits, lowRes.Memory, count, wanted.Count, _lowResSize, _lowResSize);
                    _upscale.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
                }

                lowRes.Span[..(count * wanted.Count * maskSize)].CopyTo(result.Logits[(start * wanted.Count * maskSize)..]);
            }
        }
        finally
        {
            foreach ((_, MemoryOwner<float> memory, _) in between) memory.Dispose();
        }
    }

    public void Dispose()
    {
        _prepare.Dispose();
        _transformer.Dispose();
        _upscale.Dispose();
    }

    // Values of one prompt: its first dimension is open.
    private static int Count(long[] shape)
    {
        long count = 1;
        foreach (long size in shape) count = checked(count * Math.Max(size, 1));
        return checked((int)count);
    }

    /// <summary>Moves the wanted masks' rows to the front: count x masks x width becomes count x wanted x width.</summary>
    private void Keep(Span<float> values, int count, int width, in WantedMasks wanted)
    {
        if (wanted.Count == _masks) return;
        for (int prompt = 0; prompt < count; prompt++)
        {
            values.Slice(((prompt * _masks) + wanted.First) * width, wanted.Count * width)
                .CopyTo(values.Slice(prompt * wanted.Count * width, wanted.Count * width));
        }
    }

    private sealed class PreparedGraphImage((string Name, MemoryOwner<float> Memory, long[] Shape)[] tensors) : IPreparedImage
    {
        public long Bytes => tensors.Sum(t => (long)t.Memory.Length * sizeof(float));

        /// <summary>Adds the tensors that a graph knows.</summary>
        public void AddTo(TensorList list, Func<string, bool> isKnown)
        {
            foreach ((string name, MemoryOwner<float> memory, long[] shape) in tensors)
            {
                if (isKnown(name)) list.Add(name, memory.Memory, shape);
            }
        }

        public void Dispose()
        {
            foreach ((_, MemoryOwner<float> memory, _) in tensors) memory.Dispose();
        }
    }
}
