using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>The layers that tokens alone go through.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    /// <summary>Multiply-adds of a linear layer that are worth waking the other threads for: some ten microseconds.</summary>
    private const long LeastSplitProduct = 400_000;

    /// <summary>Inputs of a linear layer that are multiplied at a time.</summary>
    private const int LinearSteps = 256;

    // The linear layer in progress.
    private PackedLinear _linear;
    private int _linearRows;
    private float* _linearResult;

    private void SelfAttention(in PackedLayer layer, float* encoded, float* values, float* destination, int prompts)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        int rows = prompts * _tokens, stride = layer.SelfQuery.PaddedOutputs;
        Linear(layer.SelfQuery, encoded, Channels, rows, memory.A);
        Linear(layer.SelfKey, encoded, Channels, rows, memory.B);
        Linear(layer.SelfValue, values, Channels, rows, memory.C);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            nint first = prompt * (nint)_tokens * stride;
            DecoderKernels.TokenAttention(
                memory.A + first, memory.B + first, memory.C + first, _tokens, Heads, _weights.SelfInner / Heads, stride, memory.Scores,
                memory.Hidden + first);
        }

        Linear(layer.SelfOutput, memory.Hidden, stride, rows, destination);
    }

    // Returns where the result is; row stride = the last layer's padded outputs.
    private float* Mlp(PackedLinear[] layers, float* x, int stride, int rows)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        for (int layer = 0; layer < layers.Length; layer++)
        {
            float* y = layer % 2 == 0 ? memory.A : memory.B;
            Linear(layers[layer], x, stride, rows, y);
            x = y;
            stride = layers[layer].PaddedOutputs;
            if (layer < layers.Length - 1) Rectify(x, rows * stride);
        }

        return x;
    }

    // y = x W' + b. The rows are packed first, so x may be y.
    private void Linear(in PackedLinear layer, float* x, int stride, int rows, float* y)
    {
        DecoderKernels.PackPanels(x, stride, rows, layer.Inputs, _tokenMemory.Panels);
        _linear = layer;
        _linearRows = DecoderMath.RoundUp(rows, DecoderKernels.BlockRows);
        _linearResult = y;
        int blocks = layer.PaddedOutputs / PackedLinear.BlockColumns;
        if ((long)_linearRows * layer.Inputs * layer.PaddedOutputs >= LeastSplitProduct)
        {
            Run(Phase.Linear, blocks);
            return;
        }

        for (int block = 0; block < blocks; block++) LinearBlock(block);
    }

    private void LinearBlock(int block)
    {
        int column = block * PackedLinear.BlockColumns, inputs = _linear.Inputs, stride = _linear.PaddedOutputs;
        nint panel = inputs * DecoderKernels.BlockRows;
        float* weight = _linear.Weight + (column * (nint)inputs), end = _linear.Weight + (stride * (nint)inputs);
        float* result = _linearResult + column;

        // In parts of 32 KB, the next of which comes from far away meanwhile.
        for (int first = 0; first < inputs; first += LinearSteps)
        {
            int steps = Math.Min(LinearSteps, inputs - first);
            float* panels = _tokenMemory.Panels + (first * DecoderKernels.BlockRows);
            float* next = weight + (steps * PackedLinear.BlockColumns);
            int nextLines = (int)Math.Min(LinearSteps * PackedLinear.BlockColumns, end - next) / (16 * _linearRows);
            if (first == 0)
            {
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromColumnBias>(
                    panels, panel, weight, PackedLinear.BlockColumns, steps, _linear.Bias + column, 0, result, stride,
                    _linearRows, PackedLinear.BlockColumns, next, nextLines);
            }
            else
            {
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
                    panels, panel, weight, PackedLinear.BlockColumns, steps, result, stride, result, stride,
                    _linearRows, PackedLinear.BlockColumns, next, nextLines);
            }

            weight = next;
        }
    }

    private void Norm(in PackedNorm norm, float* rows, int count) =>
        DecoderKernels.LayerNormRows<TSimd, TVector>(rows, count, Channels, norm.Weight, norm.Bias, _weights.NormEpsilon);

    private static void Add(float* left, float* right, float* destination, int count) =>
        TensorPrimitives.Add(new ReadOnlySpan<float>(left, count), new ReadOnlySpan<float>(right, count), new Span<float>(destination, count));

    private static void Rectify(float* values, int count) =>
        TensorPrimitives.Max(new ReadOnlySpan<float>(values, count), 0f, new Span<float>(values, count));

    private static void Copy(float* source, float* destination, int count) =>
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(destination, count));
}
