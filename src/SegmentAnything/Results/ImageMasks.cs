namespace SegmentAnything;

/// <summary>One image of many, and what was found in it.</summary>
/// <typeparam name="T">What names the image, such as its path.</typeparam>
/// <param name="Source">What was given.</param>
/// <param name="Masks">The objects; null where the image could not be read.</param>
/// <param name="Error">Why the image could not be read; null where it could.</param>
public sealed record ImageMasks<T>(T Source, GeneratedMasks? Masks, Exception? Error);
