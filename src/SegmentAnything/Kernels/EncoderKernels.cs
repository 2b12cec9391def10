namespace SegmentAnything.Kernels;

/// <summary>
/// What image encoders are made of on the processor. Tokens are rows, [token][channel]: a vector holds neighbouring channels of one
/// token, and a row has room for a multiple of <see cref="Lanes"/> channels. What is in the room beyond the channels there are
/// is never summed up, so it may be anything.
/// </summary>
/// <remarks>
/// Kernels take rows by their addresses, so that gathering (windows, strips, the neighbours that a convolution sees, zeros
/// beyond the picture) costs a pointer a row and no copy.
/// </remarks>
internal static unsafe partial class EncoderKernels
{
    /// <summary>Rows have room for a multiple of so many floats: a line of the cache, and the widest vector.</summary>
    public const int Lanes = 16;

    /// <summary>The room that so many values take.</summary>
    public static int Padded(int values) => (values + Lanes - 1) / Lanes * Lanes;

    /// <summary>
    /// The same for rows that lie one after the other and are read eight at a time: a multiple of a kilobyte would put what is read of
    /// them into the same few places of the first-level cache, where they push each other out.
    /// </summary>
    public static int Spread(int values) => Padded(values) % 256 == 0 ? Padded(values) + 128 : Padded(values);
}
