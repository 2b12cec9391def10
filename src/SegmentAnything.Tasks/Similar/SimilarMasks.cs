using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>How alike two masks of one image are, as the image encoder sees them.</summary>
/// <remarks>
/// A mask's own embedding is the mean of the image embedding over the places that it covers, with length 1. The paper encodes a crop
/// around each mask and its mirror image instead; this takes the one embedding of the whole image, and costs nothing more.
/// Source: Kirillov et al. 2023, section D.6.
/// </remarks>
public static class SimilarMasks
{
    /// <summary>A mask's embedding.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="mask">A mask of its size.</param>
    /// <returns>As many numbers as the embedding has channels, of length 1.</returns>
    /// <exception cref="ArgumentException">The mask is empty or has another size than the image.</exception>
    public static float[] Embed(ImageEmbedding embedding, RleMask mask)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        ArgumentNullException.ThrowIfNull(mask);
        if (mask.Width != embedding.SourceSize.Width || mask.Height != embedding.SourceSize.Height)
            throw new ArgumentException($"The mask has {mask.Width}x{mask.Height} pixels, but the image has {embedding.SourceSize}.", nameof(mask));
        if (mask.IsEmpty) throw new ArgumentException("The mask is empty, so it is like nothing.", nameof(mask));
        double[] weights = WeightsOf(embedding, mask);
        int places = weights.Length;
        ReadOnlySpan<float> values = embedding.Values;
        float[] mean = new float[embedding.Channels];
        for (int channel = 0; channel < mean.Length; channel++)
        {
            double sum = 0;
            ReadOnlySpan<float> map = values.Slice(channel * places, places);
            for (int i = 0; i < places; i++) sum += weights[i] * map[i];
            mean[channel] = (float)sum;
        }

        double length = Math.Sqrt(mean.Sum(value => (double)value * value));
        if (length > 0)
        {
            for (int channel = 0; channel < mean.Length; channel++) mean[channel] = (float)(mean[channel] / length);
        }

        return mean;
    }

    /// <summary>Ranks masks by how alike they are to one of their image.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="wanted">The mask that others shall be like.</param>
    /// <param name="masks">The others.</param>
    /// <returns>The place of each in the list and its cosine, -1 to 1, the most alike first.</returns>
    /// <exception cref="ArgumentException">A mask is empty or has another size than the image.</exception>
    public static IReadOnlyList<(int Index, double Similarity)> Rank(ImageEmbedding embedding, RleMask wanted, IReadOnlyList<RleMask> masks)
    {
        ArgumentNullException.ThrowIfNull(masks);
        float[] target = Embed(embedding, wanted);
        return
        [
            .. masks.Select((mask, index) => (index, Embed(embedding, mask).Zip(target, (a, b) => (double)a * b).Sum()))
                .OrderByDescending(pair => pair.Item2),
        ];
    }

    // The part of the mask that falls on each place of the embedding's grid; the parts add up to 1.
    private static double[] WeightsOf(ImageEmbedding embedding, RleMask mask)
    {
        int side = embedding.GridSize;
        double[] weights = new double[side * side];
        // The embedding's places in one pixel of the image.
        (double unitX, double unitY) = embedding.Frame.ToModel(1, 1);
        (unitX, unitY) = (unitX * side / embedding.ModelSize, unitY * side / embedding.ModelSize);
        long position = 0;
        bool foreground = false;
        foreach (int run in mask.Counts)
        {
            for (long pixel = position; foreground && pixel < position + run; pixel++)
            {
                int x = Math.Min(side - 1, (int)(((pixel / mask.Height) + 0.5) * unitX));
                int y = Math.Min(side - 1, (int)(((pixel % mask.Height) + 0.5) * unitY));
                weights[(y * side) + x] += 1.0 / mask.Area;
            }

            position += run;
            foreground = !foreground;
        }

        return weights;
    }
}
