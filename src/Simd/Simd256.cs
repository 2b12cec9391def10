using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

#if SEGMENTANYTHING_RLE
namespace SegmentAnything.Rle.Kernels;
#else
namespace SegmentAnything.Kernels;
#endif

/// <summary>Vectors of eight floats: AVX2 with FMA.</summary>
internal readonly struct Simd256 : ISimd<Vector256<float>>
{
    public static int Width => Vector256<float>.Count;

    public static int BlockRows => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Vector256<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Create(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> left, Vector256<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> left, Vector256<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> left, Vector256<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> left, Vector256<float> right) => left / right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) =>
        Vector256.MultiplyAddEstimate(left, right, addend);

    // The native forms: which operand wins at NaN or between zeros does not matter to the kernels, and they are one instruction.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> left, Vector256<float> right) => Vector256.MaxNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> left, Vector256<float> right) => Vector256.MinNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Sqrt(Vector256<float> value) => Vector256.Sqrt(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Abs(Vector256<float> value) => Vector256.Abs(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool GreaterThanAny(Vector256<float> left, Vector256<float> right) => Vector256.GreaterThanAny(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> value) => Vector256.Sum(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ScaleByLowBits(Vector256<float> value, Vector256<float> shifted) =>
        (value.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();

    public static bool HasLookup => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector256<float> Lookup(float* table, Vector256<float> index)
    {
        Vector256<float> result = default;
        for (int lane = 0; lane < Width; lane++) result = result.WithElement(lane, table[index.AsInt32().GetElement(lane) & 15]);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load<T>(ref readonly T source, nuint index) => Vector256.LoadUnsafe(in source, index).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(Vector256<float> value, ref T destination, nuint index) => value.As<float, T>().StoreUnsafe(ref destination, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast<T>(T value) => Vector256.Create(value).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Indices<T>() => Vector256<T>.Indices.As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add<T>(Vector256<float> left, Vector256<float> right) => (left.As<float, T>() + right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract<T>(Vector256<float> left, Vector256<float> right) => (left.As<float, T>() - right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply<T>(Vector256<float> left, Vector256<float> right) => (left.As<float, T>() * right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min<T>(Vector256<float> left, Vector256<float> right) => Vector256.Min(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max<T>(Vector256<float> left, Vector256<float> right) => Vector256.Max(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftLeft(Vector256<float> value, int count) => (value.AsInt32() << count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftRight(Vector256<float> value, int count) => (value.AsInt32() >>> count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftLeft64(Vector256<float> value, int count) => (value.AsUInt64() << count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShiftRight64(Vector256<float> value, int count) => (value.AsUInt64() >>> count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> And(Vector256<float> left, Vector256<float> right) => left & right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Or(Vector256<float> left, Vector256<float> right) => left | right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Xor(Vector256<float> left, Vector256<float> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Select(Vector256<float> mask, Vector256<float> set, Vector256<float> clear) => Vector256.ConditionalSelect(mask, set, clear);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AreEqual<T>(Vector256<float> left, Vector256<float> right) => Vector256.Equals(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> GreaterThan<T>(Vector256<float> left, Vector256<float> right) => Vector256.GreaterThan(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LessThan<T>(Vector256<float> left, Vector256<float> right) => Vector256.LessThan(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AreEqualBits<T>(Vector256<float> left, Vector256<float> right) =>
        Vector256.Equals(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong GreaterThanBits<T>(Vector256<float> left, Vector256<float> right) =>
        Vector256.GreaterThan(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong LessThanBits<T>(Vector256<float> left, Vector256<float> right) =>
        Vector256.LessThan(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HighestBits<T>(Vector256<float> value) => value.As<float, T>().ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum<T>(Vector256<float> value) => Vector256.Sum(value.As<float, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FusedMultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) => Vector256.FusedMultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToSingle(Vector256<float> integers) => Vector256.ConvertToSingle(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<float> Lower, Vector256<float> Upper) WidenBytes(Vector256<float> value)
    {
        (Vector256<ushort> lower, Vector256<ushort> upper) = Vector256.Widen(value.AsByte());
        return (lower.AsSingle(), upper.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector256<float> Lower, Vector256<float> Upper) WidenWords(Vector256<float> value)
    {
        (Vector256<uint> lower, Vector256<uint> upper) = Vector256.Widen(value.AsUInt16());
        return (lower.AsSingle(), upper.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> NarrowToWords(Vector256<float> lower, Vector256<float> upper) => Vector256.Narrow(lower.AsUInt32(), upper.AsUInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> NarrowToBytes(Vector256<float> lower, Vector256<float> upper) => Vector256.Narrow(lower.AsUInt16(), upper.AsUInt16()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ShuffleBytes(Vector256<float> value, Vector256<float> indices) => (Avx2.IsSupported ? Avx2.Shuffle(value.AsByte(), indices.AsByte()) : Vector256.Shuffle(value.AsByte(), indices.AsByte())).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ExchangeLanes(Vector256<float> value, int distance) => distance == 1
        ? Vector256.Shuffle(value.AsUInt64(), Vector256.Create(1UL, 0, 3, 2)).AsSingle()
        : Vector256.Shuffle(value.AsUInt64(), Vector256.Create(2UL, 3, 0, 1)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RunningSum(Vector256<float> integers)
    {
        // Sums over lanes, doubling the reach, within each half; then the lower half's sum is added to the upper half. An index
        // out of range gives 0.
        Vector256<int> sums = integers.AsInt32();
        sums += Vector256.Shuffle(sums, Vector256.Create(8, 0, 1, 2, 8, 4, 5, 6));
        sums += Vector256.Shuffle(sums, Vector256.Create(8, 8, 0, 1, 8, 8, 4, 5));
        return (sums + Vector256.Shuffle(sums, Vector256.Create(8, 8, 8, 8, 3, 3, 3, 3))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RepeatLast(Vector256<float> value) => Vector256.Shuffle(value, Vector256.Create(7));

    /// <summary>For each set of lanes, their numbers in order, a byte each.</summary>
    private static readonly ulong[] LanesInOrder = [.. Enumerable.Range(0, 256).Select(lanes =>
        Enumerable.Range(0, 8).Where(k => ((lanes >> k) & 1) != 0).Select((k, place) => (ulong)k << (8 * place)).Aggregate(0UL, (a, b) => a | b))];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSelected(Vector256<float> value, ulong lanes, ref int destination)
    {
        Vector128<byte> order = Vector128.CreateScalar(Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(LanesInOrder), (nint)lanes)).AsByte();
        Vector256<int> selected = Avx2.IsSupported
            ? Avx2.PermuteVar8x32(value.AsInt32(), Avx2.ConvertToVector256Int32(order))
            : Vector256.Shuffle(value.AsInt32(), Vector256.WidenLower(Vector128.WidenLower(order).ToVector256Unsafe()).AsInt32());
        selected.StoreUnsafe(ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Permute(Vector256<float> value, Vector256<float> indices) => Avx2.IsSupported
        ? Avx2.PermuteVar8x32(value, indices.AsInt32())
        : Vector256.Shuffle(value, indices.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector256<float> Gather(ref float first, ref int indices)
    {
        if (!Avx2.IsSupported) return Vector256.Create(Simd128.Gather(ref first, ref indices), Simd128.Gather(ref first, ref Unsafe.Add(ref indices, 4)));
        fixed (float* pinned = &first) return Avx2.GatherVector256(pinned, Vector256.LoadUnsafe(ref indices), sizeof(float));
    }
}
