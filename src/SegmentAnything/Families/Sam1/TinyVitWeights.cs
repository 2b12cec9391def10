using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam1;

/// <summary>Weights of a TinyViT as its networks take them: without the normalisations that can be part of what is beside them.</summary>
/// <param name="weights">Under their official names.</param>
internal sealed class TinyVitWeights(StateDict weights)
{
    private const float BatchNormEpsilon = 1e-5f;

    private readonly TokenRows _rows = new(weights, TinyVitLayout.Prefix, EncoderForm.Plain);

    /// <summary>Reads a tensor.</summary>
    public float[] Read(string name, params ReadOnlySpan<int> shape) => _rows.Read(name, shape);

    /// <summary>A linear layer, outputs x inputs.</summary>
    public (float[] Weight, float[] Bias) Linear(string name, int inputs, int outputs) =>
        (Read(name + ".weight", outputs, inputs), Read(name + ".bias", outputs));

    /// <inheritdoc cref="TokenRows.FoldNorm"/>
    public (float[] Weight, float[] Bias) FoldNorm(string norm, string linear, int inputs, int outputs) => _rows.FoldNorm(norm, linear, inputs, outputs);

    /// <summary>A convolution with its batch normalisation folded in, or one that was folded before it was saved.</summary>
    /// <param name="name">Of the pair: <c>c</c> is the convolution, <c>bn</c> the normalisation.</param>
    /// <param name="inputs">Input channels of a group: 1 where each channel is on its own.</param>
    /// <param name="outputs">Output channels.</param>
    /// <param name="kernel">Side of the kernel.</param>
    public (float[] Weight, float[] Bias) Convolution(string name, int inputs, int outputs, int kernel)
    {
        float[] weight = Read(name + ".c.weight", outputs, inputs, kernel, kernel);
        if (weights.Contains(TinyVitLayout.Prefix + name + ".c.bias")) return (weight, Read(name + ".c.bias", outputs));
        float[] scale = Read(name + ".bn.weight", outputs), mean = Read(name + ".bn.running_mean", outputs);
        float[] variance = Read(name + ".bn.running_var", outputs), bias = Read(name + ".bn.bias", outputs);
        for (int o = 0; o < outputs; o++)
        {
            double factor = scale[o] / Math.Sqrt((double)variance[o] + BatchNormEpsilon);
            bias[o] = (float)(bias[o] - (mean[o] * factor));
            foreach (ref float w in weight.AsSpan(o * (weight.Length / outputs), weight.Length / outputs)) w = (float)(w * factor);
        }

        return (weight, bias);
    }
}
