using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>One mask that the decoder gave for a prompt.</summary>
public sealed class PredictedMask
{
    /// <summary>Makes a mask that was computed elsewhere, such as in a test.</summary>
    /// <param name="mask">The mask at the size of the source image.</param>
    /// <param name="predictedIou">How well it is held to fit.</param>
    /// <param name="stabilityScore">How firm its edge is; NaN if not known.</param>
    /// <param name="lowResLogits">The logits that it was made from; empty if there are none.</param>
    /// <param name="maskToken">The decoder's mask token.</param>
    public PredictedMask(
        RleMask mask, float predictedIou, float stabilityScore = float.NaN, ReadOnlyMemory<float> lowResLogits = default, int maskToken = 0)
    {
        Mask = mask;
        PredictedIou = predictedIou;
        StabilityScore = stabilityScore;
        LowResLogits = lowResLogits;
        MaskToken = maskToken;
    }

    /// <summary>The mask at the size of the source image: where the resized logits are above 0.</summary>
    public RleMask Mask { get; }

    /// <summary>The model's own guess of how well the mask fits an object: intersection over union, 0 to about 1.</summary>
    public float PredictedIou { get; }

    /// <summary>
    /// Intersection over union of the masks cut at logits +1 and -1: near 1 for masks with a firm edge. NaN where even
    /// the larger one is empty. Source: Segment Anything, utils/amg.py (calculate_stability_score).
    /// </summary>
    public float StabilityScore { get; }

    /// <summary>
    /// The logits the mask was made from, row-major, four times the embedding's grid on each side (256 x 256), in the
    /// model's padded frame. To refine: <see cref="Prompt.AndMask(ReadOnlyMemory{float})"/>. They last until the <see cref="MaskPrediction"/> is
    /// disposed, and as long as they are held if it is not.
    /// </summary>
    public ReadOnlyMemory<float> LowResLogits { get; }

    /// <summary>The decoder's mask token: 0 the single mask, 1 to 3 the multiple ones.</summary>
    public int MaskToken { get; }
}
