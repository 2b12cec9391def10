using System.Numerics.Tensors;
using SegmentAnything.Masks;

namespace SegmentAnything.Automatic;

/// <summary>
/// Chooses which points of a grid are worth a prompt, where not all of them are prompted: next is always the point that is
/// least like those that were, and least common in its crop.
/// </summary>
/// <remarks>
/// <para>
/// Likeness is that of the image encoder: the cosine between the embedding's values at two points. A point that looks like
/// one that was prompted, and lies in a stable mask that was found there, very likely gives that mask again. A point that
/// looks like most of the crop is background, or one of many alike; small objects look unlike it.
/// </para>
/// <code>
///   covered(r) = max over prompted p of  cos(p, r) + <see cref="HeldBonus"/> where a stable mask of p holds r
///   next       = the r with the least   covered(r) + <see cref="CommonnessWeight"/> * cos(mean of all points, r)
/// </code>
/// <para>
/// So the order goes from coarse to fine in what there is to see, not in pixels. The two weights were chosen on photographs;
/// docs/fewer-prompts.md has the recall, and that of other rules. Equal points are taken in the order of the grid.
/// </para>
/// </remarks>
internal sealed class PromptPlan
{
    /// <summary>What a point within a stable mask counts as more alike.</summary>
    private const float HeldBonus = 0.05f;

    /// <summary>How much likeness to the mean of the crop counts, beside likeness to prompted points.</summary>
    private const float CommonnessWeight = 0.5f;

    private readonly int _channels;
    private readonly int _lowResSize;
    private readonly float[] _features; // [cell in use][channel], of length 1
    private readonly float[] _likeness; // to the point at hand, of each cell in use
    private readonly int[] _cellOf;     // the cell in use that each point lies in
    private readonly int[] _lowResOf;   // the low-resolution logit that each point lies in
    private readonly float[] _commonness;
    private readonly float[] _covered;
    private readonly List<int> _left;
    private int _budget;

    /// <summary>Plans the prompts of one crop.</summary>
    /// <param name="encoded">The crop.</param>
    /// <param name="points">The grid, in pixels of the crop.</param>
    /// <param name="budget">How many of them may be prompted.</param>
    public PromptPlan(IEncodedCrop encoded, ReadOnlySpan<(double X, double Y)> points, int budget)
    {
        _channels = encoded.EmbeddingChannels;
        _lowResSize = encoded.LowResSize;
        _budget = budget;
        _cellOf = new int[points.Length];
        _lowResOf = new int[points.Length];
        _left = [.. Enumerable.Range(0, points.Length)];

        ReadOnlySpan<float> embedding = encoded.Embedding;
        int cells = embedding.Length / _channels;
        int grid = (int)Math.Sqrt(cells);
        (ImageSize input, ImageSize source) = (encoded.Upscaler.InputSize, encoded.Upscaler.OutputSize);
        Dictionary<int, int> inUse = [];
        for (int i = 0; i < points.Length; i++)
        {
            // The low-resolution logits and the embedding cover the model's whole padded frame.
            double x = points[i].X * input.Width / source.Width / encoded.ModelSize, y = points[i].Y * input.Height / source.Height / encoded.ModelSize;
            _lowResOf[i] = CellAt(x, y, _lowResSize);
            int cell = CellAt(x, y, grid);
            if (!inUse.TryGetValue(cell, out _cellOf[i])) inUse.Add(cell, _cellOf[i] = inUse.Count);
        }

        _features = new float[inUse.Count * _channels];
        foreach ((int cell, int index) in inUse)
        {
            Span<float> feature = FeatureOf(index);
            for (int c = 0; c < _channels; c++) feature[c] = embedding[(c * cells) + cell];
            Normalize(feature);
        }

        float[] mean = new float[_channels];
        foreach (int cell in _cellOf) TensorPrimitives.Add(mean, FeatureOf(cell), mean);
        Normalize(mean);
        _commonness = new float[inUse.Count];
        for (int cell = 0; cell < _commonness.Length; cell++) _commonness[cell] = CommonnessWeight * TensorPrimitives.Dot(mean, FeatureOf(cell));
        _likeness = new float[inUse.Count];
        _covered = new float[points.Length];
        _covered.AsSpan().Fill(-1); // the least cosine: nothing was prompted yet
    }

    /// <summary>Chooses the next points.</summary>
    /// <param name="batch">Receives their indices.</param>
    /// <returns>How many there are: as many as fit, until the budget is used up.</returns>
    public int Next(Span<int> batch)
    {
        int count = 0;
        for (; count < batch.Length && _budget > 0 && _left.Count > 0; count++, _budget--)
        {
            int best = 0;
            for (int i = 1; i < _left.Count; i++)
            {
                if (Priority(_left[i]) < Priority(_left[best])) best = i;
            }

            batch[count] = _left[best];
            _left.RemoveAt(best);
            CompareWith(batch[count]);
            foreach (int point in _left) _covered[point] = Math.Max(_covered[point], _likeness[_cellOf[point]]);
        }

        return count;
    }

    /// <summary>Takes note of a stable mask.</summary>
    /// <param name="point">The point that was prompted.</param>
    /// <param name="lowResLogits">The mask that it gave.</param>
    public void AddStableMask(int point, ReadOnlySpan<float> lowResLogits)
    {
        CompareWith(point);
        foreach (int other in _left)
        {
            if (lowResLogits[_lowResOf[other]] > MaskMeasurement.Threshold)
                _covered[other] = Math.Max(_covered[other], _likeness[_cellOf[other]] + HeldBonus);
        }
    }

    private float Priority(int point) => _covered[point] + _commonness[_cellOf[point]];

    private void CompareWith(int point)
    {
        ReadOnlySpan<float> feature = FeatureOf(_cellOf[point]);
        for (int cell = 0; cell < _likeness.Length; cell++) _likeness[cell] = TensorPrimitives.Dot(feature, FeatureOf(cell));
    }

    private Span<float> FeatureOf(int cell) => _features.AsSpan(cell * _channels, _channels);

    // x and y as parts of the frame.
    private static int CellAt(double x, double y, int side) =>
        (Math.Min((int)(y * side), side - 1) * side) + Math.Min((int)(x * side), side - 1);

    private static void Normalize(Span<float> values)
    {
        float length = TensorPrimitives.Norm(values);
        if (length > 0) TensorPrimitives.Divide(values, length, values);
    }
}
