#if SEGMENTANYTHING_RLE
namespace SegmentAnything.Rle.Kernels;
#else
namespace SegmentAnything.Kernels;
#endif

/// <summary>
/// The few vector operations that the kernels are made of, for one vector width. A kernel that takes this as a type argument is
/// compiled once a width, with every call inlined, so it is written only once. <see cref="SimdDispatch"/> chooses the width.
/// </summary>
/// <typeparam name="TVector">The vector of <see cref="Width"/> floats.</typeparam>
/// <remarks>
/// Operations without a type argument take the lanes as floats, but for those of bits; those with one take them as that type, in
/// whatever vector they lie. This source is compiled into both packages.
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

    static abstract TVector Load<T>(ref readonly T source, nuint index);

    static abstract void Store<T>(TVector value, ref T destination, nuint index);

    /// <summary>The same value in every lane.</summary>
    static abstract TVector Broadcast<T>(T value);

    /// <summary>0, 1, 2 and so on.</summary>
    static abstract TVector Indices<T>();

    static abstract TVector Add<T>(TVector left, TVector right);

    static abstract TVector Subtract<T>(TVector left, TVector right);

    static abstract TVector Multiply<T>(TVector left, TVector right);

    static abstract TVector Min<T>(TVector left, TVector right);

    static abstract TVector Max<T>(TVector left, TVector right);

    static abstract TVector ShiftLeft(TVector value, int count);

    static abstract TVector ShiftRight(TVector value, int count);

    /// <summary>The 64-bit lanes, shifted; zeros come in.</summary>
    static abstract TVector ShiftLeft64(TVector value, int count);

    /// <summary>The 64-bit lanes, shifted; zeros come in.</summary>
    static abstract TVector ShiftRight64(TVector value, int count);

    static abstract TVector And(TVector left, TVector right);

    static abstract TVector Or(TVector left, TVector right);

    static abstract TVector Xor(TVector left, TVector right);

    /// <summary>Bit by bit, the first where the mask is set and the second elsewhere.</summary>
    static abstract TVector Select(TVector mask, TVector set, TVector clear);

    /// <summary>All bits of a lane where the lanes are equal, none elsewhere.</summary>
    static abstract TVector AreEqual<T>(TVector left, TVector right);

    /// <summary>All bits of a lane where the left one is greater, none elsewhere.</summary>
    static abstract TVector GreaterThan<T>(TVector left, TVector right);

    /// <summary>All bits of a lane where the left one is less, none elsewhere.</summary>
    static abstract TVector LessThan<T>(TVector left, TVector right);

    /// <summary>A bit for every lane, the first lane's lowest: are the lanes equal?</summary>
    /// <remarks>One operation: AVX-512 compares into a mask, and a vector between would cost two more.</remarks>
    static abstract ulong AreEqualBits<T>(TVector left, TVector right);

    /// <summary>A bit for every lane, the first lane's lowest: is the left one greater?</summary>
    static abstract ulong GreaterThanBits<T>(TVector left, TVector right);

    /// <summary>A bit for every lane, the first lane's lowest: is the left one less?</summary>
    static abstract ulong LessThanBits<T>(TVector left, TVector right);

    /// <summary>The highest bit of every lane, the first lane's lowest.</summary>
    static abstract ulong HighestBits<T>(TVector value);

    /// <summary>The sum of all lanes.</summary>
    static abstract T Sum<T>(TVector value);

    /// <summary>left * right + addend, rounded once on every processor.</summary>
    static abstract TVector FusedMultiplyAdd(TVector left, TVector right, TVector addend);

    /// <summary>32-bit integers as floats.</summary>
    static abstract TVector ToSingle(TVector integers);

    /// <summary>Bytes as 16-bit numbers.</summary>
    static abstract (TVector Lower, TVector Upper) WidenBytes(TVector value);

    /// <summary>16-bit numbers, without sign, as 32-bit ones.</summary>
    static abstract (TVector Lower, TVector Upper) WidenWords(TVector value);

    /// <summary>32-bit numbers as 16-bit ones.</summary>
    static abstract TVector NarrowToWords(TVector lower, TVector upper);

    /// <summary>16-bit numbers as bytes.</summary>
    static abstract TVector NarrowToBytes(TVector lower, TVector upper);

    /// <summary>In every 16 bytes, byte i becomes the one of these 16 that index i names, 0 to 7.</summary>
    /// <remarks>The lower 8 bytes of all 16s must be the same.</remarks>
    static abstract TVector ShuffleBytes(TVector value, TVector indices);

    /// <summary>The 64-bit lanes with those exchanged that are so far apart: 1, 2 or 4, and less than there are.</summary>
    static abstract TVector ExchangeLanes(TVector value, int distance);

    /// <summary>Each 32-bit integer plus all before it.</summary>
    static abstract TVector RunningSum(TVector integers);

    /// <summary>The last 32-bit lane in every lane.</summary>
    static abstract TVector RepeatLast(TVector value);

    /// <summary>Writes the 32-bit lanes whose bit is set, one after the other; a whole vector is written.</summary>
    static abstract void StoreSelected(TVector value, ulong lanes, ref int destination);

    /// <summary>For each lane the one that an index names of the lanes of a vector of at least 256 bits.</summary>
    static abstract TVector Permute(TVector value, TVector indices);

    /// <summary>For each lane one of the values behind a reference.</summary>
    /// <param name="first">The first value; with 512 bits, two vectors can be read there, and no index is above 31.</param>
    /// <param name="indices">For each lane which value.</param>
    static abstract TVector Gather(ref float first, ref int indices);
}
