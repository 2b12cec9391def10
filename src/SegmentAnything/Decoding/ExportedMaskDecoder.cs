using System.Collections.Immutable;
using System.Numerics.Tensors;
using SegmentAnything.Execution;

namespace SegmentAnything.Decoding;

/// <summary>What another exporter's decoder calls its tensors. Bound by name, whatever their order.</summary>
internal sealed record ExportedDecoderLayout
{
    /// <summary>The input for each map of the image, in the maps' order.</summary>
    public required ImmutableArray<string> Maps { get; init; }

    /// <summary>Points in the model's frame: (B, N, 2), or (1, B, N, 2).</summary>
    public required string Points { get; init; }

    /// <summary>What each is, of any type: 1 on the object, 0 beside it, 2 and 3 corners of a box, -1 nothing.</summary>
    public required string Labels { get; init; }

    /// <summary>There is an axis before that of the prompts.</summary>
    public bool HasImageAxis { get; init; }

    /// <summary>An input for boxes, (1, K, 4), that is left empty: corners are points.</summary>
    public string? Boxes { get; init; }

    /// <summary>A rough mask, (B, 1, L, L); null where there is none.</summary>
    public string? Mask { get; init; }

    /// <summary>Whether it counts.</summary>
    public string? HasMask { get; init; }

    /// <summary>The size that masks are brought to, (2): here always that of the low resolution.</summary>
    public string? Size { get; init; }

    /// <summary>Low-resolution logits: (.., M, L, L).</summary>
    public required string Logits { get; init; }

    /// <summary>Predicted IoUs: (.., M).</summary>
    public required string Iou { get; init; }

    /// <summary>The object score; null where there is none.</summary>
    public string? ObjectScore { get; init; }

    /// <summary>The token of the first mask that it gives.</summary>
    public required int FirstMask { get; init; }

    /// <summary>M.</summary>
    public required int Masks { get; init; }
}

/// <summary>
/// A prompt encoder and mask decoder in one graph of another exporter, run as it is: one prompt a call. Prompts reach it as they
/// are: of each token the first three values are x, y and label; a mask's values stand in the dense map
/// (<see cref="MaskAsItIs"/>).
/// </summary>
internal sealed class ExportedMaskDecoder : IMaskDecoderEngine
{
    private const int Nothing = -1;

    private readonly ModelSession _session;
    private readonly ExportedDecoderLayout _layout;
    private readonly ImmutableArray<FeatureMapShape> _features;
    private readonly int _lowResSize;

    // A token that stands for nothing follows each prompt's.
    private readonly bool _pads;

    /// <summary>Makes the session.</summary>
    /// <param name="model">The ONNX file.</param>
    /// <param name="source">Where it is from, for messages.</param>
    /// <param name="layout">The names of its tensors.</param>
    /// <param name="features">The maps of an image, in their order.</param>
    /// <param name="execution">Where to run.</param>
    /// <exception cref="ExecutionProviderException">No provider of the list works.</exception>
    /// <exception cref="ModelContractException">ONNX Runtime does not understand it.</exception>
    public ExportedMaskDecoder(
        byte[] model, string source, ExportedDecoderLayout layout, ImmutableArray<FeatureMapShape> features, ExecutionOptions execution)
    {
        (_layout, _features, _lowResSize) = (layout, features, DecoderLayout.Upscaling * features[0].Side);
        _session = SessionFactory.Create(model, source, execution);
        try
        {
            _pads = layout.Boxes is not null && LacksPadding();
        }
        catch
        {
            _session.Dispose();
            throw;
        }
    }

    /// <summary>The provider that runs it.</summary>
    public ExecutionProvider Provider => _session.Provider;

    public IPreparedImage Prepare(
        ReadOnlySpan<float> features, ReadOnlySpan<float> dense, IPreparedImage? withoutMask, CancellationToken cancellationToken)
    {
        FeatureMapShape embedding = _features[0];
        float[] maps = withoutMask is ExportedImage same ? same.Maps : features.ToArray();
        return new ExportedImage(maps, dense.Length == embedding.Channels ? null : MaskOf(dense, embedding.Side), ownsMaps: withoutMask is null);
    }

    public void Decode(in DecodeRequest request, in DecodeResult result, CancellationToken cancellationToken)
    {
        if (!result.MaskTokens.IsEmpty || (!result.ObjectScores.IsEmpty && _layout.ObjectScore is null))
            throw new NotSupportedException("This network gives no object scores, or its mask tokens are not among its outputs.");
        ExportedImage image = (ExportedImage)request.Image;
        int tokenLength = _features[0].Channels, maskSize = _lowResSize * _lowResSize;
        int skipped = request.Wanted.First - _layout.FirstMask, wanted = request.Wanted.Count;
        List<(float X, float Y, float Label)> points = [];
        for (int prompt = 0; prompt < request.Prompts; prompt++)
        {
            points.Clear();
            for (int i = 0; i < request.TokensPerPrompt; i++)
            {
                ReadOnlySpan<float> token = request.Tokens.Slice(((prompt * request.TokensPerPrompt) + i) * tokenLength, 3);
                points.Add((token[0], token[1], token[2]));
            }

            if (_pads) points.Add((0, 0, Nothing));
            (float[] logits, float[] iou, float[]? score) = Run(image.Maps, image.Mask, points, null, cancellationToken);
            logits.AsSpan(skipped * maskSize, wanted * maskSize).CopyTo(result.Logits[(prompt * wanted * maskSize)..]);
            iou.AsSpan(skipped, wanted).CopyTo(result.PredictedIou[(prompt * wanted)..]);
            if (!result.ObjectScores.IsEmpty) result.ObjectScores[prompt] = score![0];
        }
    }

    public void Dispose() => _session.Dispose();

    // A file with an input for boxes adds the token of padding to a box, but not always to points. The same box, given as such
    // and as points, tells: it is the answer that is nearer.
    private bool LacksPadding()
    {
        float far = _lowResSize;
        float[] maps = new float[_features.Sum(map => map.Length)];
        List<(float, float, float)> corners = [(0, 0, 2), (far, far, 3)];
        float[] asBox = Run(maps, null, [], [0, 0, far, far], default).Logits;
        float[] plain = Run(maps, null, corners, null, default).Logits, padded = Run(maps, null, [.. corners, (0, 0, Nothing)], null, default).Logits;
        return TensorPrimitives.Distance(asBox, padded) < TensorPrimitives.Distance(asBox, plain);
    }

    private (float[] Logits, float[] Iou, float[]? Score) Run(
        float[] maps, float[]? mask, List<(float X, float Y, float Label)> points, float[]? box, CancellationToken cancellationToken)
    {
        using TensorList inputs = new();
        int start = 0;
        for (int i = 0; i < _features.Length; i++)
        {
            FeatureMapShape map = _features[i];
            Add(_layout.Maps[i], maps.AsSpan(start, map.Length), 1, map.Channels, map.Side, map.Side);
            start += map.Length;
        }

        float[] coordinates = [.. points.SelectMany(p => (float[])[p.X, p.Y])], labels = [.. points.Select(p => p.Label)];
        if (_layout.HasImageAxis)
        {
            Add(_layout.Points, coordinates, 1, 1, points.Count, 2);
            Add(_layout.Labels, labels, 1, 1, points.Count);
        }
        else
        {
            Add(_layout.Points, coordinates, 1, points.Count, 2);
            Add(_layout.Labels, labels, 1, points.Count);
        }

        if (_layout.Boxes is not null) Add(_layout.Boxes, box ?? [], 1, box is null ? 0 : 1, 4);
        if (_layout.Mask is not null) Add(_layout.Mask, mask ?? new float[_lowResSize * _lowResSize], 1, 1, _lowResSize, _lowResSize);
        if (_layout.HasMask is not null) Add(_layout.HasMask, [mask is null ? 0 : 1], 1);
        if (_layout.Size is not null) Add(_layout.Size, [_lowResSize, _lowResSize], 2);
        string[] names = _layout.ObjectScore is { } score ? [_layout.Logits, _layout.Iou, score] : [_layout.Logits, _layout.Iou];
        (float[] Values, long[] Shape)[] outputs = _session.RunForValues(inputs.AsSpan(), names, cancellationToken);

        (float[] logits, long[] shape) = outputs[0];
        if (logits.Length != _layout.Masks * _lowResSize * _lowResSize || shape[^1] != _lowResSize || outputs[1].Values.Length != _layout.Masks)
        {
            throw new ModelContractException(
                $"{_session.Source}: output '{_layout.Logits}' has the shape [{string.Join(", ", shape)}] and '{_layout.Iou}' {outputs[1].Values.Length} values for one prompt; "
                + $"expected {_layout.Masks} masks of {_lowResSize}x{_lowResSize}.", _layout.Logits);
        }

        return (logits, outputs[1].Values, outputs.Length > 2 ? outputs[2].Values : null);

        void Add(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> size) => inputs.AddConverted(_session, name, values, size);
    }

    // Undoes what MaskAsItIs does: channel 4·dy + dx of a position is the pixel there.
    private static float[] MaskOf(ReadOnlySpan<float> dense, int grid)
    {
        const int block = DecoderLayout.Upscaling;
        int side = block * grid;
        float[] mask = new float[side * side];
        for (int y = 0; y < side; y++)
        {
            for (int x = 0; x < side; x++)
                mask[(y * side) + x] = dense[(((((y % block) * block) + (x % block)) * grid) + (y / block)) * grid + (x / block)];
        }

        return mask;
    }

    private sealed class ExportedImage(float[] maps, float[]? mask, bool ownsMaps) : IPreparedImage
    {
        public float[] Maps => maps;

        public float[]? Mask => mask;

        public long Bytes => sizeof(float) * ((ownsMaps ? maps.LongLength : 0) + (mask?.LongLength ?? 0));

        public void Dispose()
        {
        }
    }
}
