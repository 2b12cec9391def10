using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>
/// How points and boxes become EfficientSAM's tokens: always six, each the positional encoding of its place plus what its
/// label stands for.
/// </summary>
/// <remarks>
/// A point beside the object has a place but no embedding of its own: the network was not trained with such points. What fills
/// up lies at (-1, -1) and keeps the encoding of that place. Source: EfficientSAM, efficient_sam/efficient_sam.py
/// (get_rescaled_pts), efficient_sam_decoder.py (PromptEncoder).
/// </remarks>
internal static class EfficientSamPrompts
{
    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What they are of.</param>
    /// <param name="imageSize">Side of the square that the encoder takes, in pixels.</param>
    public static PromptTokens Read(StateDict weights, EfficientSamDecoderLayout layout, int imageSize)
    {
        float[] matrix = weights.ReadAny(PositionalEncoding.MatrixName), nothing = new float[layout.Channels];
        PositionalEncoding.Encode(matrix, (-1 + 0.5f) / imageSize, (-1 + 0.5f) / imageSize, nothing);
        System.Numerics.Tensors.TensorPrimitives.Add(nothing, Table("invalid_points"), nothing);
        return new PromptTokens
        {
            GaussianMatrix = matrix,
            Labels = [new float[layout.Channels], Table("point_embeddings"), Table("bbox_top_left_embeddings"), Table("bbox_bottom_right_embeddings")],
            Nothing = nothing,
            Padding = TokenPadding.Fill,
            FilledLength = EfficientSamDecoderLayout.Points,
        };

        float[] Table(string name) => weights.Read($"{EfficientSamDecoderLayout.Prompts}{name}.weight", 1, layout.Channels);
    }
}
