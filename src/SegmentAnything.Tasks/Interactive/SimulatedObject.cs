using SegmentAnything.Evaluation;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>What simulated clicks on one object gave.</summary>
/// <param name="Clicks">The clicks, in order. A first box and rounds without a click are none.</param>
/// <param name="Qualities">Intersection over union with the object after each round, at the size of the image.</param>
/// <param name="Oracle">The best intersection over union among the masks of the first round.</param>
/// <param name="MillisecondsPerClick">The median time from a prompt to its mask.</param>
/// <param name="Mask">The last mask.</param>
public sealed record SimulatedObject(
    IReadOnlyList<Click> Clicks, IReadOnlyList<double> Qualities, double Oracle, double MillisecondsPerClick, RleMask Mask);
