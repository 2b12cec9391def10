using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <summary>Kernels over boxes.</summary>
internal static class BoxKernels
{
    /// <summary>Boxes beyond the last one, so that every vector is whole.</summary>
    private const int Padding = 16;

    /// <summary>
    /// Makes a threshold a little smaller, by more than the rounding of a product and a quotient: what exceeds the
    /// threshold when divided exceeds the smaller one when multiplied.
    /// </summary>
    private const float NearlyOne = 1 - 1e-5f;

    /// <summary>
    /// Taken off the product, for areas so small that rounding is no longer relative to them; nothing beside any others.
    /// </summary>
    private const float NearlyNothing = 1e-37f;

    /// <summary>Takes boxes in an order, each suppressing the later ones that overlap it by more than the threshold.</summary>
    /// <param name="boxes">Left, top, right, bottom of each box.</param>
    /// <param name="order">The boxes that take part, best first.</param>
    /// <param name="threshold">The greatest intersection over union that is no reason to suppress.</param>
    /// <returns>Places in the order, rising, of the boxes that are kept.</returns>
    /// <remarks>
    /// Exactness: every path equals <see cref="SuppressScalar"/> bit for bit; the ratio is divided out in single precision.
    /// A ratio that is NaN suppresses nothing. Source: torchvision, csrc/ops/cpu/nms_kernel.cpp. Measured by:
    /// SuppressionBenchmarks.
    /// </remarks>
    public static int[] Suppress(ReadOnlySpan<float> boxes, int[] order, float threshold)
    {
        // Below 0 boxes that do not meet suppress each other too: the paths below look only where boxes meet.
        if (!(threshold >= 0)) return SuppressScalar(boxes, order, threshold);
        if (Vector512.IsHardwareAccelerated) return SuppressVector512(boxes, order, threshold);
        if (Vector256.IsHardwareAccelerated) return SuppressVector256(boxes, order, threshold);
        if (Vector128.IsHardwareAccelerated) return SuppressVector128(boxes, order, threshold);
        return SuppressScalar(boxes, order, threshold);
    }

    // The definition: every box that is left taken against every later one.
    internal static int[] SuppressScalar(ReadOnlySpan<float> boxes, int[] order, float threshold)
    {
        var suppressed = new bool[order.Length];
        var kept = new List<int>();
        for (int i = 0; i < order.Length; i++)
        {
            if (suppressed[i]) continue;
            kept.Add(i);
            ReadOnlySpan<float> a = boxes.Slice(4 * order[i], 4);
            float areaA = (a[2] - a[0]) * (a[3] - a[1]);
            for (int j = i + 1; j < order.Length; j++)
            {
                ReadOnlySpan<float> b = boxes.Slice(4 * order[j], 4);
                float width = MathF.Max(0f, MathF.Min(a[2], b[2]) - MathF.Max(a[0], b[0]));
                float height = MathF.Max(0f, MathF.Min(a[3], b[3]) - MathF.Max(a[1], b[1]));
                float intersection = width * height;
                float areaB = (b[2] - b[0]) * (b[3] - b[1]);
                if (intersection / (areaA + areaB - intersection) > threshold) suppressed[j] = true;
            }
        }

        return [.. kept];
    }

    internal static int[] SuppressVector512(ReadOnlySpan<float> boxes, int[] order, float threshold) =>
        Suppress<Row512>(boxes, order, threshold);

    internal static int[] SuppressVector256(ReadOnlySpan<float> boxes, int[] order, float threshold) =>
        Suppress<Row256>(boxes, order, threshold);

    internal static int[] SuppressVector128(ReadOnlySpan<float> boxes, int[] order, float threshold) =>
        Suppress<Row128>(boxes, order, threshold);

    private static int[] Suppress<TRow>(ReadOnlySpan<float> boxes, int[] order, float threshold)
        where TRow : IRow
    {
        // Six rows: left, top, right, bottom, area, and whether the box is suppressed (all bits set, or none).
        int count = order.Length, length = count + Padding;
        float[] rows = ArrayPool<float>.Shared.Rent(checked(6 * length));
        rows.AsSpan(0, 6 * length).Clear();
        ref float left = ref MemoryMarshal.GetArrayDataReference(rows);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<float> box = boxes.Slice(4 * order[i], 4);
            ref float place = ref Unsafe.Add(ref left, i);
            place = box[0];
            Unsafe.Add(ref place, length) = box[1];
            Unsafe.Add(ref place, 2 * length) = box[2];
            Unsafe.Add(ref place, 3 * length) = box[3];
            Unsafe.Add(ref place, 4 * length) = (box[2] - box[0]) * (box[3] - box[1]);
        }

        int[] kept = ArrayPool<int>.Shared.Rent(count), places = ArrayPool<int>.Shared.Rent(count);
        for (int i = 0; i < count; i++) places[i] = i;
        int keptCount = 0, nextCompaction = FirstCompaction;
        for (int i = 0; i < count; i++)
        {
            if (BitConverter.SingleToInt32Bits(Unsafe.Add(ref left, (5 * length) + i)) != 0) continue;
            kept[keptCount++] = places[i];
            // From the vector that holds the next box on: what is before it in there is decided already.
            TRow.Mark(ref left, length, i, (i + 1) & ~(Padding - 1), count, threshold);
            if (keptCount != nextCompaction) continue;
            nextCompaction *= 2;
            count = Compact(rows.AsSpan(0, 6 * length), length, places, i + 1, count);
            i = -1;
        }

        int[] result = kept.AsSpan(0, keptCount).ToArray();
        ArrayPool<int>.Shared.Return(kept);
        ArrayPool<int>.Shared.Return(places);
        ArrayPool<float>.Shared.Return(rows);
        return result;
    }

    /// <summary>Boxes kept before suppressed ones are taken out for the first time; then at each doubling.</summary>
    private const int FirstCompaction = 32;

    // Moves the boxes from a place on that are not suppressed to the start; returns how many.
    private static int Compact(Span<float> rows, int length, int[] places, int from, int count)
    {
        int left = 0;
        for (int i = from; i < count; i++)
        {
            if (BitConverter.SingleToInt32Bits(rows[(5 * length) + i]) != 0) continue;
            for (int row = 0; row < 5; row++) rows[(row * length) + left] = rows[(row * length) + i];
            places[left++] = places[i];
        }

        rows.Slice(5 * length, count).Clear();
        return left;
    }

    // Marks the boxes from a place on that one box suppresses. Written out for each width, as in BitWords: what the runtime's
    // vectors have in common is not public.
    private interface IRow
    {
        static abstract void Mark(ref float rows, int length, int box, int from, int count, float threshold);
    }

    private readonly struct Row512 : IRow
    {
        public static void Mark(ref float rows, int length, int box, int from, int count, float threshold)
        {
            ref float own = ref Unsafe.Add(ref rows, box);
            Vector512<float> left = Vector512.Create(own), top = Vector512.Create(Unsafe.Add(ref own, length));
            Vector512<float> right = Vector512.Create(Unsafe.Add(ref own, 2 * length)), bottom = Vector512.Create(Unsafe.Add(ref own, 3 * length));
            Vector512<float> area = Vector512.Create(Unsafe.Add(ref own, 4 * length)), limit = Vector512.Create(threshold);
            Vector512<float> low = Vector512.Create(threshold * NearlyOne);
            for (int j = from; j < count; j += Vector512<float>.Count)
            {
                ref float other = ref Unsafe.Add(ref rows, j);
                Vector512<float> width = Vector512.MinNative(right, Vector512.LoadUnsafe(ref other, 2 * (nuint)length))
                    - Vector512.MaxNative(left, Vector512.LoadUnsafe(ref other));
                Vector512<float> height = Vector512.MinNative(bottom, Vector512.LoadUnsafe(ref other, 3 * (nuint)length))
                    - Vector512.MaxNative(top, Vector512.LoadUnsafe(ref other, (nuint)length));
                Vector512<float> intersection = Vector512.MaxNative(width, Vector512<float>.Zero) * Vector512.MaxNative(height, Vector512<float>.Zero);
                Vector512<float> union = area + Vector512.LoadUnsafe(ref other, 4 * (nuint)length) - intersection;
                // A division only where a product says that the ratio is at the threshold or near it.
                if (!Vector512.GreaterThanAny(intersection, (union * low) - Vector512.Create(NearlyNothing))) continue;
                Vector512<float> marks = Vector512.GreaterThan(intersection / union, limit);
                (marks | Vector512.LoadUnsafe(ref other, 5 * (nuint)length)).StoreUnsafe(ref other, 5 * (nuint)length);
            }
        }
    }

    private readonly struct Row256 : IRow
    {
        public static void Mark(ref float rows, int length, int box, int from, int count, float threshold)
        {
            ref float own = ref Unsafe.Add(ref rows, box);
            Vector256<float> left = Vector256.Create(own), top = Vector256.Create(Unsafe.Add(ref own, length));
            Vector256<float> right = Vector256.Create(Unsafe.Add(ref own, 2 * length)), bottom = Vector256.Create(Unsafe.Add(ref own, 3 * length));
            Vector256<float> area = Vector256.Create(Unsafe.Add(ref own, 4 * length)), limit = Vector256.Create(threshold);
            Vector256<float> low = Vector256.Create(threshold * NearlyOne);
            for (int j = from; j < count; j += Vector256<float>.Count)
            {
                ref float other = ref Unsafe.Add(ref rows, j);
                Vector256<float> width = Vector256.MinNative(right, Vector256.LoadUnsafe(ref other, 2 * (nuint)length))
                    - Vector256.MaxNative(left, Vector256.LoadUnsafe(ref other));
                Vector256<float> height = Vector256.MinNative(bottom, Vector256.LoadUnsafe(ref other, 3 * (nuint)length))
                    - Vector256.MaxNative(top, Vector256.LoadUnsafe(ref other, (nuint)length));
                Vector256<float> intersection = Vector256.MaxNative(width, Vector256<float>.Zero) * Vector256.MaxNative(height, Vector256<float>.Zero);
                Vector256<float> union = area + Vector256.LoadUnsafe(ref other, 4 * (nuint)length) - intersection;
                if (!Vector256.GreaterThanAny(intersection, (union * low) - Vector256.Create(NearlyNothing))) continue;
                Vector256<float> marks = Vector256.GreaterThan(intersection / union, limit);
                (marks | Vector256.LoadUnsafe(ref other, 5 * (nuint)length)).StoreUnsafe(ref other, 5 * (nuint)length);
            }
        }
    }

    private readonly struct Row128 : IRow
    {
        public static void Mark(ref float rows, int length, int box, int from, int count, float threshold)
        {
            ref float own = ref Unsafe.Add(ref rows, box);
            Vector128<float> left = Vector128.Create(own), top = Vector128.Create(Unsafe.Add(ref own, length));
            Vector128<float> right = Vector128.Create(Unsafe.Add(ref own, 2 * length)), bottom = Vector128.Create(Unsafe.Add(ref own, 3 * length));
            Vector128<float> area = Vector128.Create(Unsafe.Add(ref own, 4 * length)), limit = Vector128.Create(threshold);
            Vector128<float> low = Vector128.Create(threshold * NearlyOne);
            for (int j = from; j < count; j += Vector128<float>.Count)
            {
                ref float other = ref Unsafe.Add(ref rows, j);
                Vector128<float> width = Vector128.MinNative(right, Vector128.LoadUnsafe(ref other, 2 * (nuint)length))
                    - Vector128.MaxNative(left, Vector128.LoadUnsafe(ref other));
                Vector128<float> height = Vector128.MinNative(bottom, Vector128.LoadUnsafe(ref other, 3 * (nuint)length))
                    - Vector128.MaxNative(top, Vector128.LoadUnsafe(ref other, (nuint)length));
                Vector128<float> intersection = Vector128.MaxNative(width, Vector128<float>.Zero) * Vector128.MaxNative(height, Vector128<float>.Zero);
                Vector128<float> union = area + Vector128.LoadUnsafe(ref other, 4 * (nuint)length) - intersection;
                if (!Vector128.GreaterThanAny(intersection, (union * low) - Vector128.Create(NearlyNothing))) continue;
                Vector128<float> marks = Vector128.GreaterThan(intersection / union, limit);
                (marks | Vector128.LoadUnsafe(ref other, 5 * (nuint)length)).StoreUnsafe(ref other, 5 * (nuint)length);
            }
        }
    }
}
