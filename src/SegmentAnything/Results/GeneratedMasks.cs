using System.Collections;

namespace SegmentAnything;

/// <summary>The objects of one image, in the order of the reference, and how they were found.</summary>
public sealed class GeneratedMasks : IReadOnlyList<GeneratedMask>
{
    private readonly GeneratedMask[] _masks;

    /// <summary>Makes a result of masks that were found elsewhere, such as in a test.</summary>
    /// <param name="masks">In their order.</param>
    /// <param name="imageSize">The size of the image and of every mask.</param>
    public GeneratedMasks(IEnumerable<GeneratedMask> masks, ImageSize imageSize)
        : this([.. masks], imageSize, [], TimeSpan.Zero)
    {
    }

    internal GeneratedMasks(GeneratedMask[] masks, ImageSize imageSize, IReadOnlyList<CropStatistics> crops, TimeSpan elapsed)
    {
        _masks = masks;
        ImageSize = imageSize;
        Crops = crops;
        Elapsed = elapsed;
    }

    /// <summary>The size of the image and of every mask, in pixels.</summary>
    public ImageSize ImageSize { get; }

    /// <summary>Counts and times of each crop; the first is the whole image.</summary>
    public IReadOnlyList<CropStatistics> Crops { get; }

    /// <summary>Time from start to end, waiting for the consumer not included.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>How many objects there are.</summary>
    public int Count => _masks.Length;

    /// <summary>One of the objects.</summary>
    /// <exception cref="IndexOutOfRangeException">There is none of that number.</exception>
    public GeneratedMask this[int index] => _masks[index];

    /// <summary>Goes through the objects.</summary>
    public IEnumerator<GeneratedMask> GetEnumerator() => ((IEnumerable<GeneratedMask>)_masks).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _masks.GetEnumerator();
}
