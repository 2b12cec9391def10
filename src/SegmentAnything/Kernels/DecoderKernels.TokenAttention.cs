using System.Numerics.Tensors;

namespace SegmentAnything.Kernels;

/// <content>Attention of the prompt tokens among themselves: a few rows, so plain loops over vectorised rows do.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>For every head, softmax(query * keys) * values.</summary>
    /// <param name="query">[token][stride], scaled for scores to the base 2.</param>
    /// <param name="key">[token][stride].</param>
    /// <param name="value">[token][stride].</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="headWidth">Channels of a head.</param>
    /// <param name="stride">Floats from one token to the next.</param>
    /// <param name="scores">Scratch for as many values as there are tokens.</param>
    /// <param name="destination">Receives [token][stride].</param>
    public static void TokenAttention(
        float* query, float* key, float* value, int tokens, int heads, int headWidth, int stride, float* scores, float* destination)
    {
        Span<float> weights = new(scores, tokens);
        for (int head = 0; head < heads; head++)
        {
            int first = head * headWidth;
            for (int t = 0; t < tokens; t++)
            {
                ReadOnlySpan<float> row = new(query + (t * stride) + first, headWidth);
                for (int s = 0; s < tokens; s++)
                    weights[s] = TensorPrimitives.Dot(row, new ReadOnlySpan<float>(key + (s * stride) + first, headWidth));
                TensorPrimitives.Subtract(weights, TensorPrimitives.Max<float>(weights), weights);
                TensorPrimitives.Exp2(weights, weights);
                float sum = TensorPrimitives.Sum<float>(weights);
                Span<float> target = new(destination + (t * stride) + first, headWidth);
                target.Clear();
                for (int s = 0; s < tokens; s++)
                {
                    ReadOnlySpan<float> source = new(value + (s * stride) + first, headWidth);
                    TensorPrimitives.MultiplyAdd(source, weights[s] / sum, target, target);
                }
            }
        }
    }
}
