using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

#if SEGMENTANYTHING_RLE
namespace SegmentAnything.Rle.Kernels;
#else
namespace SegmentAnything.Kernels;
#endif

/// <summary>Vectors of four floats: SSE, Arm64's AdvSimd, WebAssembly.</summary>
internal readonly struct Simd128 : ISimd<Vector128<float>>
{
    public static int Width => Vector128<float>.Count;

    public static int BlockRows => AdvSimd.IsSupported ? 8 : 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Vector128<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Create(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> left, Vector128<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> left, Vector128<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> left, Vector128<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Divide(Vector128<float> left, Vector128<float> right) => left / right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) =>
        Vector128.MultiplyAddEstimate(left, right, addend);

    // The native forms: which operand wins at NaN or between zeros does not matter to the kernels, and they are one instruction.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> left, Vector128<float> right) => Vector128.MaxNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> left, Vector128<float> right) => Vector128.MinNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sqrt(Vector128<float> value) => Vector128.Sqrt(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Abs(Vector128<float> value) => Vector128.Abs(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool GreaterThanAny(Vector128<float> left, Vector128<float> right) => Vector128.GreaterThanAny(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> value) => Vector128.Sum(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ScaleByLowBits(Vector128<float> value, Vector128<float> shifted) =>
        (value.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();

    public static bool HasLookup => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector128<float> Lookup(float* table, Vector128<float> index)
    {
        Vector128<float> result = default;
        for (int lane = 0; lane < Width; lane++) result = result.WithElement(lane, table[index.AsInt32().GetElement(lane) & 15]);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load<T>(ref readonly T source, nuint index) => Vector128.LoadUnsafe(in source, index).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(Vector128<float> value, ref T destination, nuint index) => value.As<float, T>().StoreUnsafe(ref destination, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Broadcast<T>(T value) => Vector128.Create(value).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Indices<T>() => Vector128<T>.Indices.As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add<T>(Vector128<float> left, Vector128<float> right) => (left.As<float, T>() + right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract<T>(Vector128<float> left, Vector128<float> right) => (left.As<float, T>() - right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply<T>(Vector128<float> left, Vector128<float> right) => (left.As<float, T>() * right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min<T>(Vector128<float> left, Vector128<float> right) => Vector128.Min(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max<T>(Vector128<float> left, Vector128<float> right) => Vector128.Max(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftLeft(Vector128<float> value, int count) => (value.AsInt32() << count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftRight(Vector128<float> value, int count) => (value.AsInt32() >>> count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftLeft64(Vector128<float> value, int count) => (value.AsUInt64() << count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShiftRight64(Vector128<float> value, int count) => (value.AsUInt64() >>> count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> And(Vector128<float> left, Vector128<float> right) => left & right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Or(Vector128<float> left, Vector128<float> right) => left | right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Xor(Vector128<float> left, Vector128<float> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Select(Vector128<float> mask, Vector128<float> set, Vector128<float> clear) => Vector128.ConditionalSelect(mask, set, clear);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> AreEqual<T>(Vector128<float> left, Vector128<float> right) => Vector128.Equals(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> GreaterThan<T>(Vector128<float> left, Vector128<float> right) => Vector128.GreaterThan(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LessThan<T>(Vector128<float> left, Vector128<float> right) => Vector128.LessThan(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AreEqualBits<T>(Vector128<float> left, Vector128<float> right) =>
        Vector128.Equals(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong GreaterThanBits<T>(Vector128<float> left, Vector128<float> right) =>
        Vector128.GreaterThan(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong LessThanBits<T>(Vector128<float> left, Vector128<float> right) =>
        Vector128.LessThan(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HighestBits<T>(Vector128<float> value) => value.As<float, T>().ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum<T>(Vector128<float> value) => Vector128.Sum(value.As<float, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FusedMultiplyAdd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) => Vector128.FusedMultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ToSingle(Vector128<float> integers) => Vector128.ConvertToSingle(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Lower, Vector128<float> Upper) WidenBytes(Vector128<float> value)
    {
        (Vector128<ushort> lower, Vector128<ushort> upper) = Vector128.Widen(value.AsByte());
        return (lower.AsSingle(), upper.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> Lower, Vector128<float> Upper) WidenWords(Vector128<float> value)
    {
        (Vector128<uint> lower, Vector128<uint> upper) = Vector128.Widen(value.AsUInt16());
        return (lower.AsSingle(), upper.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> NarrowToWords(Vector128<float> lower, Vector128<float> upper) => Vector128.Narrow(lower.AsUInt32(), upper.AsUInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> NarrowToBytes(Vector128<float> lower, Vector128<float> upper) => Vector128.Narrow(lower.AsUInt16(), upper.AsUInt16()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ShuffleBytes(Vector128<float> value, Vector128<float> indices) => (Ssse3.IsSupported ? Ssse3.Shuffle(value.AsByte(), indices.AsByte()) : Vector128.Shuffle(value.AsByte(), indices.AsByte())).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> ExchangeLanes(Vector128<float> value, int distance) => Vector128.Shuffle(value.AsUInt64(), Vector128.Create(1UL, 0)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RunningSum(Vector128<float> integers)
    {
        // Sums over lanes, doubling the reach. An index out of range gives 0.
        Vector128<int> sums = integers.AsInt32();
        sums += Vector128.Shuffle(sums, Vector128.Create(4, 0, 1, 2));
        return (sums + Vector128.Shuffle(sums, Vector128.Create(4, 4, 0, 1))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RepeatLast(Vector128<float> value) => Vector128.Shuffle(value, Vector128.Create(3));

    public static void StoreSelected(Vector128<float> value, ulong lanes, ref int destination)
    {
        Vector128<int> selected = value.AsInt32();
        for (int place = 0; lanes != 0; lanes &= lanes - 1, place++)
            Unsafe.Add(ref destination, place) = selected.GetElement(BitOperations.TrailingZeroCount(lanes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Permute(Vector128<float> value, Vector128<float> indices) => Vector128.Shuffle(value, indices.AsInt32());

    // Picked one by one: there is no cheap lookup at this width.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Gather(ref float first, ref int indices) => Vector128.Create(
        Unsafe.Add(ref first, indices), Unsafe.Add(ref first, Unsafe.Add(ref indices, 1)),
        Unsafe.Add(ref first, Unsafe.Add(ref indices, 2)), Unsafe.Add(ref first, Unsafe.Add(ref indices, 3)));
}
