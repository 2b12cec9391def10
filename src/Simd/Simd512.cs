using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

#if SEGMENTANYTHING_RLE
namespace SegmentAnything.Rle.Kernels;
#else
namespace SegmentAnything.Kernels;
#endif

/// <summary>Vectors of sixteen floats: AVX-512.</summary>
internal readonly struct Simd512 : ISimd<Vector512<float>>
{
    public static int Width => Vector512<float>.Count;

    public static int BlockRows => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Vector512<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Create(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> left, Vector512<float> right) => left + right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> left, Vector512<float> right) => left - right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> left, Vector512<float> right) => left * right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> left, Vector512<float> right) => left / right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) =>
        Vector512.MultiplyAddEstimate(left, right, addend);

    // The native forms: which operand wins at NaN or between zeros does not matter to the kernels, and they are one instruction.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> left, Vector512<float> right) => Vector512.MaxNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> left, Vector512<float> right) => Vector512.MinNative(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sqrt(Vector512<float> value) => Vector512.Sqrt(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Abs(Vector512<float> value) => Vector512.Abs(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool GreaterThanAny(Vector512<float> left, Vector512<float> right) => Vector512.GreaterThanAny(left, right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> value) => Vector512.Sum(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ScaleByLowBits(Vector512<float> value, Vector512<float> shifted) =>
        (value.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();

    public static bool HasLookup => Avx512F.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Vector512<float> Lookup(float* table, Vector512<float> index) => Avx512F.IsSupported
        ? Avx512F.PermuteVar16x32(Load(table), index.AsInt32())
        : LookupSlowly(table, index);

    private static unsafe Vector512<float> LookupSlowly(float* table, Vector512<float> index)
    {
        Vector512<float> result = default;
        for (int lane = 0; lane < Width; lane++) result = result.WithElement(lane, table[index.AsInt32().GetElement(lane) & 15]);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load<T>(ref readonly T source, nuint index) => Vector512.LoadUnsafe(in source, index).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(Vector512<float> value, ref T destination, nuint index) => value.As<float, T>().StoreUnsafe(ref destination, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast<T>(T value) => Vector512.Create(value).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Indices<T>() => Vector512<T>.Indices.As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add<T>(Vector512<float> left, Vector512<float> right) => (left.As<float, T>() + right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract<T>(Vector512<float> left, Vector512<float> right) => (left.As<float, T>() - right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply<T>(Vector512<float> left, Vector512<float> right) => (left.As<float, T>() * right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min<T>(Vector512<float> left, Vector512<float> right) => Vector512.Min(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max<T>(Vector512<float> left, Vector512<float> right) => Vector512.Max(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftLeft(Vector512<float> value, int count) => (value.AsInt32() << count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftRight(Vector512<float> value, int count) => (value.AsInt32() >>> count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftLeft64(Vector512<float> value, int count) => (value.AsUInt64() << count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShiftRight64(Vector512<float> value, int count) => (value.AsUInt64() >>> count).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> And(Vector512<float> left, Vector512<float> right) => left & right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Or(Vector512<float> left, Vector512<float> right) => left | right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Xor(Vector512<float> left, Vector512<float> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Select(Vector512<float> mask, Vector512<float> set, Vector512<float> clear) => Vector512.ConditionalSelect(mask, set, clear);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AreEqual<T>(Vector512<float> left, Vector512<float> right) => Vector512.Equals(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> GreaterThan<T>(Vector512<float> left, Vector512<float> right) => Vector512.GreaterThan(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LessThan<T>(Vector512<float> left, Vector512<float> right) => Vector512.LessThan(left.As<float, T>(), right.As<float, T>()).As<T, float>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AreEqualBits<T>(Vector512<float> left, Vector512<float> right) =>
        Vector512.Equals(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong GreaterThanBits<T>(Vector512<float> left, Vector512<float> right) =>
        Vector512.GreaterThan(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong LessThanBits<T>(Vector512<float> left, Vector512<float> right) =>
        Vector512.LessThan(left.As<float, T>(), right.As<float, T>()).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HighestBits<T>(Vector512<float> value) => value.As<float, T>().ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum<T>(Vector512<float> value) => Vector512.Sum(value.As<float, T>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FusedMultiplyAdd(Vector512<float> left, Vector512<float> right, Vector512<float> addend) => Vector512.FusedMultiplyAdd(left, right, addend);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToSingle(Vector512<float> integers) => Vector512.ConvertToSingle(integers.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Lower, Vector512<float> Upper) WidenBytes(Vector512<float> value)
    {
        (Vector512<ushort> lower, Vector512<ushort> upper) = Vector512.Widen(value.AsByte());
        return (lower.AsSingle(), upper.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Lower, Vector512<float> Upper) WidenWords(Vector512<float> value)
    {
        (Vector512<uint> lower, Vector512<uint> upper) = Vector512.Widen(value.AsUInt16());
        return (lower.AsSingle(), upper.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> NarrowToWords(Vector512<float> lower, Vector512<float> upper) => Vector512.Narrow(lower.AsUInt32(), upper.AsUInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> NarrowToBytes(Vector512<float> lower, Vector512<float> upper) => Vector512.Narrow(lower.AsUInt16(), upper.AsUInt16()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ShuffleBytes(Vector512<float> value, Vector512<float> indices) => (Avx512BW.IsSupported ? Avx512BW.Shuffle(value.AsByte(), indices.AsByte()) : Vector512.Shuffle(value.AsByte(), indices.AsByte())).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ExchangeLanes(Vector512<float> value, int distance) => distance switch
    {
        1 => Vector512.Shuffle(value.AsUInt64(), Vector512.Create(1UL, 0, 3, 2, 5, 4, 7, 6)).AsSingle(),
        2 => Vector512.Shuffle(value.AsUInt64(), Vector512.Create(2UL, 3, 0, 1, 6, 7, 4, 5)).AsSingle(),
        _ => Vector512.Shuffle(value.AsUInt64(), Vector512.Create(4UL, 5, 6, 7, 0, 1, 2, 3)).AsSingle(),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RunningSum(Vector512<float> integers)
    {
        if (!Avx512F.IsSupported)
        {
            Vector256<float> lower = Simd256.RunningSum(integers.GetLower()), upper = Simd256.RunningSum(integers.GetUpper());
            return Vector512.Create(lower, Simd256.Add<int>(upper, Simd256.RepeatLast(lower)));
        }

        // Sums over lanes, doubling the reach.
        Vector512<int> sums = integers.AsInt32();
        sums += Avx512F.AlignRight32(sums, Vector512<int>.Zero, 15);
        sums += Avx512F.AlignRight32(sums, Vector512<int>.Zero, 14);
        sums += Avx512F.AlignRight32(sums, Vector512<int>.Zero, 12);
        return (sums + Avx512F.AlignRight32(sums, Vector512<int>.Zero, 8)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RepeatLast(Vector512<float> value) => Vector512.Shuffle(value, Vector512.Create(15));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSelected(Vector512<float> value, ulong lanes, ref int destination)
    {
        if (!Avx512F.IsSupported)
        {
            Simd256.StoreSelected(value.GetLower(), (byte)lanes, ref destination);
            Simd256.StoreSelected(value.GetUpper(), lanes >> 8, ref Unsafe.Add(ref destination, BitOperations.PopCount((byte)lanes)));
            return;
        }

        Vector512<uint> bits = Vector512.Create(1u, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);
        Vector512<uint> selected = Vector512.Equals(Vector512.Create((uint)lanes) & bits, bits);
        Avx512F.Compress(Vector512<uint>.Zero, selected, value.AsUInt32()).AsInt32().StoreUnsafe(ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Permute(Vector512<float> value, Vector512<float> indices) => Avx512F.IsSupported
        ? Avx512F.PermuteVar16x32(value, indices.AsInt32())
        : Vector512.Shuffle(value, indices.AsInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Gather(ref float first, ref int indices) => Avx512F.IsSupported
        ? Avx512F.PermuteVar16x32x2(Vector512.LoadUnsafe(ref first), Vector512.LoadUnsafe(ref indices), Vector512.LoadUnsafe(ref first, 16))
        : Vector512.Create(Simd256.Gather(ref first, ref indices), Simd256.Gather(ref first, ref Unsafe.Add(ref indices, 8)));
}
