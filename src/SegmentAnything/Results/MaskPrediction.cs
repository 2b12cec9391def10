using System.Collections;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>The masks for one prompt, the one with the highest predicted IoU first.</summary>
/// <remarks>
/// Disposing it is optional: it gives the logits' memory, 256 KB a mask, to the next predictions, which then need no new
/// memory. The masks, scores and everything else stay as they are.
/// </remarks>
public sealed class MaskPrediction : IReadOnlyList<PredictedMask>, IDisposable
{
    private readonly PredictedMask[] _masks;
    private PooledLogits? _logits;

    /// <summary>Makes a prediction of masks that were computed elsewhere, such as in a test.</summary>
    /// <param name="masks">One mask at least, in any order.</param>
    /// <param name="objectScore">See <see cref="ObjectScore"/>.</param>
    /// <exception cref="ArgumentException">There is no mask.</exception>
    public MaskPrediction(IEnumerable<PredictedMask> masks, float? objectScore = null)
        : this([.. masks], null, objectScore)
    {
        if (_masks.Length == 0) throw new ArgumentException("A prediction has one mask at least.", nameof(masks));
    }

    internal MaskPrediction(PredictedMask[] masks, PooledLogits? logits, float? objectScore)
    {
        _masks = masks;
        _logits = logits;
        ObjectScore = objectScore;
        // Few items: an insertion sort is short, stable and allocates nothing. NaN goes last.
        for (int i = 1; i < masks.Length; i++)
        {
            PredictedMask mask = masks[i];
            int j = i;
            for (; j > 0 && !(masks[j - 1].PredictedIou >= mask.PredictedIou); j--) masks[j] = masks[j - 1];
            masks[j] = mask;
        }
    }

    /// <summary>The mask with the highest predicted IoU.</summary>
    public PredictedMask Best => _masks[0];

    /// <summary>The logits of <see cref="Best"/>, for <see cref="Prompt.AndMask(ReadOnlyMemory{float})"/>. They last until this is disposed.</summary>
    public ReadOnlyMemory<float> LowResLogits => Best.LowResLogits;

    /// <summary>
    /// Whether there is an object at all, where the model says so: a logit, above 0 for yes. Null for models without.
    /// </summary>
    public float? ObjectScore { get; }

    /// <summary>How many masks there are: 1, 3 or 4.</summary>
    public int Count => _masks.Length;

    /// <summary>One of the masks, by rank.</summary>
    /// <exception cref="IndexOutOfRangeException">There is none of that rank.</exception>
    public PredictedMask this[int index] => _masks[index];

    /// <summary>
    /// Gives the memory of all <see cref="PredictedMask.LowResLogits"/> back: no longer read them, nor use a prompt that was
    /// made with them, even from another thread. Such a use throws <see cref="ObjectDisposedException"/>.
    /// </summary>
    public void Dispose() => Interlocked.Exchange(ref _logits, null)?.Release();

    /// <summary>The one mask that is nearest to another, by IoU; of several the best. It takes the logits' memory over.</summary>
    /// <param name="mask">A mask of the same image, of any size.</param>
    internal MaskPrediction Nearest(RleMask mask)
    {
        mask = mask.Resize(Best.Mask.Width, Best.Mask.Height);
        PredictedMask nearest = _masks.MaxBy(found => found.Mask.IntersectionOverUnion(mask))!;
        return new MaskPrediction([nearest], Interlocked.Exchange(ref _logits, null), ObjectScore);
    }

    /// <summary>Goes through the masks, best first.</summary>
    public IEnumerator<PredictedMask> GetEnumerator() => ((IEnumerable<PredictedMask>)_masks).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _masks.GetEnumerator();
}
