namespace SegmentAnything.Decoding;

/// <summary>What is wanted of each prompt that is decoded. What is not may be left out: its logits are then not defined.</summary>
/// <param name="First">The first of the four mask tokens that is wanted: 0 is the single mask, 1 to 3 the multiple ones.</param>
/// <param name="Count">How many are wanted from there on.</param>
/// <param name="LeastPredictedIou">
/// Masks with less need no logits. A mask's predicted IoU is known before its upscaling, which takes half of the time.
/// Negative infinity: all do.
/// </param>
/// <param name="GridRows">
/// Rows of the embedding's grid, from the top, whose logits are wanted: those below a wide image show nothing but padding.
/// </param>
internal readonly record struct WantedMasks(int First, int Count, float LeastPredictedIou = float.NegativeInfinity, int GridRows = int.MaxValue);
