namespace SegmentAnything.Kernels;

/// <summary>
/// The few vector operations that the decoder's kernels are made of, for one vector width. A kernel that takes this as a
/// type argument is compiled once a width, with every call inlined, so it is written only once.
/// </summary>
/// <typeparam name="TVector">The vector of <see cref="Width"/> floats.</typeparam>
/// <remarks>
/// Every width works on every processor; where the hardware lacks it, slowly. That lets each be tested everywhere.
/// Addresses need no alignment, but lines of 64 bytes are read fastest.
/// </remarks>
internal interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Floats in a vector: 4, 8 or 16.</summary>
    static abstract int Width { get; }

    /// <summary>
    /// Rows of a block of a product: rows x 3 accumulators, 3 vectors of the right factor and one of the left must fit
    /// into the registers (16 of them before AVX-512, 32 with it and on Arm64).
    /// </summary>
    static abstract int BlockRows { get; }

    static abstract unsafe TVector Load(float* source);

    static abstract unsafe void Store(TVector value, float* destination);

    /// <summary>The same value in every lane.</summary>
    static abstract TVector Create(float value);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Subtract(TVector left, TVector right);

    static abstract TVector Multiply(TVector left, TVector right);

    static abstract TVector Divide(TVector left, TVector right);

    /// <summary>left * right + addend, rounded once where the processor can.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    static abstract TVector Max(TVector left, TVector right);

    static abstract TVector Min(TVector left, TVector right);

    static abstract TVector Sqrt(TVector value);

    static abstract TVector Abs(TVector value);

    /// <summary>Is any lane of <paramref name="left"/> above that of <paramref name="right"/>?</summary>
    static abstract bool GreaterThanAny(TVector left, TVector right);

    /// <summary>The sum of all lanes.</summary>
    static abstract float Sum(TVector value);

    /// <summary>
    /// value * 2^n, where the lowest bits of <paramref name="shifted"/> hold n: it adds n to the exponent. The result must
    /// be a normal number.
    /// </summary>
    static abstract TVector ScaleByLowBits(TVector value, TVector shifted);

    /// <summary>Does <see cref="Lookup"/> take one instruction?</summary>
    static abstract bool HasLookup { get; }

    /// <summary>For each lane the one of sixteen values that the lane's lowest four bits name.</summary>
    static abstract unsafe TVector Lookup(float* table, TVector index);
}
