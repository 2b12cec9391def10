using SegmentAnything.Evaluation;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>A box that a detector found.</summary>
/// <param name="Box">In source-image pixels.</param>
/// <param name="CategoryId">Its category.</param>
/// <param name="Score">How sure the detector is.</param>
public readonly record struct DetectedBox(ObjectBox Box, long CategoryId, double Score);

/// <summary>An object whose box a detector found and whose mask the model drew.</summary>
/// <param name="Detected">What the detector found.</param>
/// <param name="Mask">The mask, at the size of the image.</param>
/// <param name="PredictedIou">The model's own guess of how well the mask fits.</param>
public sealed record BoxInstance(DetectedBox Detected, RleMask Mask, float PredictedIou)
{
    /// <summary>The instance as a detection to be evaluated: category and score are the detector's.</summary>
    /// <param name="imageId">The image's number.</param>
    public Detection ToDetection(long imageId) => new(imageId, Detected.CategoryId, Detected.Score) { Mask = Mask };
}

/// <summary>Masks of the objects in a detector's boxes.</summary>
/// <remarks>
/// Each box is prompted twice: alone, and together with the logits of the most confident mask that came back.
/// Source: Kirillov et al. 2023, sections 7.4 and D.4.
/// </remarks>
public static class InstancesFromBoxes
{
    private const int BoxesPerBatch = 64;

    /// <summary>Draws a mask for each box.</summary>
    /// <param name="model">The model.</param>
    /// <param name="embedding">The image, encoded by it.</param>
    /// <param name="boxes">The boxes; parts beyond the image's edge are cut off.</param>
    /// <param name="passes">How often each is prompted: 2 as the paper does, or 1.</param>
    /// <param name="firstSelection">Which masks the first prompt asks for: three, of which the most confident is taken, or one.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    /// <returns>An instance a box, in their order.</returns>
    /// <exception cref="ArgumentException">A box is empty or lies outside of the image; the message has its place.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IReadOnlyList<BoxInstance> Run(
        ISegmenter model, ImageEmbedding embedding, IReadOnlyList<DetectedBox> boxes, int passes = 2,
        MaskSelection firstSelection = MaskSelection.Multiple, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(embedding);
        ArgumentNullException.ThrowIfNull(boxes);
        ArgumentOutOfRangeException.ThrowIfLessThan(passes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(passes, 2);
        Prompt[] prompts = [.. boxes.Select((box, place) => PromptOf(box.Box, place, embedding.SourceSize))];
        var instances = new List<BoxInstance>(boxes.Count);
        for (int start = 0; start < prompts.Length; start += BoxesPerBatch)
        {
            Prompt[] batch = prompts[start..Math.Min(start + BoxesPerBatch, prompts.Length)];
            MaskPrediction[] found = model.Predict(embedding, batch, firstSelection, cancellationToken);
            if (passes == 2)
            {
                MaskPrediction[] first = found;
                found = model.Predict(embedding, [.. batch.Select((prompt, i) => prompt.AndMask(first[i].LowResLogits))], MaskSelection.Auto, cancellationToken);
                foreach (MaskPrediction prediction in first) prediction.Dispose();
            }

            for (int i = 0; i < found.Length; i++)
            {
                instances.Add(new BoxInstance(boxes[start + i], found[i].Best.Mask, found[i].Best.PredictedIou));
                found[i].Dispose();
            }
        }

        return instances;
    }

    private static Prompt PromptOf(ObjectBox box, int place, ImageSize size)
    {
        double left = Math.Max(0, box.X), top = Math.Max(0, box.Y);
        double right = Math.Min(size.Width, box.X + box.Width), bottom = Math.Min(size.Height, box.Y + box.Height);
        if (!(right > left && bottom > top))
            throw new ArgumentException($"Box {place}, {box}, has no part within the image of {size} pixels.");
        return Prompt.Box((float)left, (float)top, (float)right, (float)bottom);
    }
}
