using System.Buffers;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>Edges of an image without training for them: where masks from a grid of points end.</summary>
/// <remarks>
/// Every point of the grid gives three masks, none is dropped for its quality, and duplicates are removed. Of each mask's probability
/// the gradient is taken (Sobel), where the mask ends and nowhere else; the strongest of all masks counts. Only that band of each mask
/// is kept, so memory is an image of logits a thread, and some numbers for each pixel of the masks' borders.
/// Source: Kirillov et al. 2023, sections 7.2 and D.2, and the authors' answer to a question about it (sigmoid, duplicates above 0.7,
/// no crops). How edges are made thin is not told there: see <see cref="EdgeThinner"/>.
/// </remarks>
public static class EdgeDetection
{
    private const int PointsPerBatch = 32;

    /// <summary>Finds edges.</summary>
    /// <param name="model">The model.</param>
    /// <param name="embedding">The image, encoded by it.</param>
    /// <param name="options">How edges are found; the paper's settings when null.</param>
    /// <param name="progress">Told after each batch of points which part is done, 0 to 1.</param>
    /// <param name="cancellationToken">Looked at between batches.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static EdgeMap Detect(
        SamModel model, ImageEmbedding embedding, EdgeDetectionOptions? options = null, IProgress<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(embedding);
        options ??= EdgeDetectionOptions.Default;
        options.Check();
        (int width, int height) = (embedding.SourceSize.Width, embedding.SourceSize.Height);
        Prompt[] grid = Grid(options.PointsPerSide, embedding.SourceSize);
        var bands = new List<EdgeBand>();
        for (int start = 0; start < grid.Length; start += PointsPerBatch)
        {
            Prompt[] batch = grid[start..Math.Min(start + PointsPerBatch, grid.Length)];
            MaskPrediction[] predictions = model.Predict(embedding, batch, MaskSelection.Multiple, cancellationToken);
            PredictedMask[] masks = [.. predictions.SelectMany(prediction => prediction).Where(mask => !mask.Mask.IsEmpty)];
            var found = new EdgeBand[masks.Length];
            Parallel.For(0, masks.Length, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
            {
                float[] logits = ArrayPool<float>.Shared.Rent(width * height);
                model.Decoder.UpscaleLogits(embedding, masks[i].LowResLogits, logits);
                found[i] = EdgeBand.Of(masks[i].Mask, logits.AsSpan(0, width * height), masks[i].PredictedIou);
                ArrayPool<float>.Shared.Return(logits);
            });
            bands.AddRange(found);
            foreach (MaskPrediction prediction in predictions) prediction.Dispose();
            progress?.Report((double)(start + batch.Length) / grid.Length);
        }

        float[] strongest = new float[width * height];
        foreach (int kept in NonMaximumSuppression.Boxes(Boxes(bands), [.. bands.Select(band => band.PredictedIou)], options.BoxNmsThreshold))
            bands[kept].RaiseTo(strongest);
        return Finish(strongest, width, height, options.Nms);
    }

    /// <summary>Makes edges thin, and their strengths 0 to 1.</summary>
    internal static EdgeMap Finish(float[] strongest, int width, int height, EdgeNms nms)
    {
        float[] thin = nms == EdgeNms.Canny ? EdgeThinner.Smooth(strongest, width, height, EdgeThinner.Sigma) : strongest;
        Scale(thin);
        if (nms == EdgeNms.Canny) thin = EdgeThinner.Thin(thin, width, height);
        return new EdgeMap(thin, width, height);
    }

    private static Prompt[] Grid(int side, ImageSize size) =>
    [
        .. Enumerable.Range(0, side * side).Select(i => Prompt.Point(
            (float)(((i % side) + 0.5) / side * size.Width), (float)(((i / side) + 0.5) / side * size.Height))),
    ];

    // As the automatic generator takes them: right and bottom are the last pixel.
    private static float[] Boxes(List<EdgeBand> bands) =>
        [.. bands.SelectMany(band => new float[] { band.Box.X, band.Box.Y, band.Box.Right - 1, band.Box.Bottom - 1 })];

    private static void Scale(float[] values)
    {
        (float least, float most) = (values.Min(), values.Max());
        for (int i = 0; i < values.Length; i++) values[i] = most > least ? (values[i] - least) / (most - least) : 0;
    }
}
