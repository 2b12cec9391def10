using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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
        return SimdDispatch.Run<SuppressKernel, int[]>(new(boxes, order, threshold));
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

    // Boxes are put in order of their left edges, roughly; where one suppresses another, their left edges are near each other,
    // so each box looks at a part of the list. That part holds better boxes too: to mark them does no harm any more, and once
    // half of the boxes are decided, the others go on without them. (Left stands for top, and width for height, where boxes
    // are spread wider from top to bottom.)
    internal static int[] Suppress<TSimd, TVector>(ReadOnlySpan<float> boxes, int[] order, float threshold)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int count = order.Length, length = count + Padding;
        // Six rows: left, top, right, bottom, area, and whether the box is suppressed (all bits set, or none).
        float[] rows = ArrayPool<float>.Shared.Rent(checked(6 * length));
        int[] open = ArrayPool<int>.Shared.Rent(count), places = ArrayPool<int>.Shared.Rent(count), kept = ArrayPool<int>.Shared.Rent(count);
        ref float left = ref MemoryMarshal.GetArrayDataReference(rows);
        var line = new Line(boxes, order);
        for (int i = 0; i < count; i++) open[i] = i;

        // A ratio above t means an overlap of at least t times the wider of the two: the other one is no wider than 1/t
        // times this one, starts no further to the left than 1 - t times its own width, and no further to the right than
        // 1 - t times this width.
        double near = threshold < 1e-6f ? 0 : Math.Min(1, threshold) * (double)NearlyOne;
        double reachRight = (1 - near) / NearlyOne, reachLeft = reachRight / near;
        int keptCount = 0;
        while (count > 0)
        {
            int[] starts = line.Sort(boxes, order, open.AsSpan(0, count), places);
            rows.AsSpan(0, 6 * length).Clear();
            for (int i = 0; i < count; i++)
            {
                if (places[i] < 0) continue;
                ReadOnlySpan<float> box = boxes.Slice(4 * order[open[i]], 4);
                ref float place = ref Unsafe.Add(ref left, places[i]);
                place = box[line.Axis];
                Unsafe.Add(ref place, length) = box[1 - line.Axis];
                Unsafe.Add(ref place, 2 * length) = box[2 + line.Axis];
                Unsafe.Add(ref place, 3 * length) = box[3 - line.Axis];
                Unsafe.Add(ref place, 4 * length) = (box[2] - box[0]) * (box[3] - box[1]);
            }

            int decided = count <= FewBoxes ? count : count / 2, others = 0;
            for (int i = 0; i < count; i++)
            {
                ref float box = ref Unsafe.Add(ref left, Math.Max(0, places[i]));
                if (places[i] >= 0 && BitConverter.SingleToInt32Bits(Unsafe.Add(ref box, 5 * length)) != 0) continue;
                if (i >= decided)
                {
                    open[others++] = open[i];
                    continue;
                }

                kept[keptCount++] = open[i];
                if (places[i] < 0) continue;
                double width = (double)Unsafe.Add(ref box, 2 * length) - box;
                bool isTiny = Unsafe.Add(ref box, 4 * length) < LeastPrecise;
                int first = isTiny ? 0 : starts[line.Part(box - (reachLeft * width))];
                int end = isTiny ? count : starts[line.Part(box + (reachRight * width)) + 1];
                Mark<TSimd, TVector>(ref left, length, places[i], first, end, threshold);
            }

            count = others;
            ArrayPool<int>.Shared.Return(starts);
        }

        int[] result = kept.AsSpan(0, keptCount).ToArray();
        ArrayPool<int>.Shared.Return(kept);
        ArrayPool<int>.Shared.Return(places);
        ArrayPool<int>.Shared.Return(open);
        ArrayPool<float>.Shared.Return(rows);
        return result;
    }

    /// <summary>So many boxes are decided without being put in order again.</summary>
    private const int FewBoxes = 256;

    /// <summary>Areas below this are so near the smallest numbers that a ratio of two says little of the boxes' edges.</summary>
    private const float LeastPrecise = 1e-30f;

    // The line on which boxes are put in order, from left to right or from top to bottom, cut into equal parts.
    private readonly struct Line
    {
        private readonly double _start, _partsPerUnit;
        private readonly int _parts;

        public Line(ReadOnlySpan<float> boxes, int[] order)
        {
            double left = double.PositiveInfinity, top = left, right = double.NegativeInfinity, bottom = right, widths = 0, heights = 0;
            foreach (int index in order)
            {
                ReadOnlySpan<float> box = boxes.Slice(4 * index, 4);
                if (!CanOverlap(box)) continue;
                (left, right, widths) = (Math.Min(left, box[0]), Math.Max(right, box[0]), widths + box[2] - box[0]);
                (top, bottom, heights) = (Math.Min(top, box[1]), Math.Max(bottom, box[1]), heights + box[3] - box[1]);
            }

            // Where the boxes are smaller beside the line, fewer of them come together.
            Axis = widths * (bottom - top) <= heights * (right - left) ? 0 : 1;
            (_start, double end) = Axis == 0 ? (left, right) : (top, bottom);
            _parts = Math.Clamp(order.Length / 4, 1, 4096);
            _partsPerUnit = end > _start ? _parts / (end - _start) : 0;
        }

        /// <summary>0: from left to right, 1: from top to bottom.</summary>
        public int Axis { get; }

        // Boxes without area, or with numbers that are none, have no ratio above 0 with any box, nor those of boundless area.
        public static bool CanOverlap(ReadOnlySpan<float> box)
        {
            float width = box[2] - box[0], height = box[3] - box[1];
            return width > 0 && height > 0 && width * height < float.PositiveInfinity;
        }

        // Never falls as the position rises, so that whoever is between two positions is in their parts or between.
        public int Part(double position) => (int)Math.Clamp((position - _start) * _partsPerUnit, 0, _parts - 1);

        // Counts the boxes of each part and gives each of those that are open its place in their order, or -1 if it overlaps
        // nothing; returns where each part starts, and the end.
        public int[] Sort(ReadOnlySpan<float> boxes, int[] order, ReadOnlySpan<int> open, Span<int> places)
        {
            int[] starts = ArrayPool<int>.Shared.Rent(_parts + 2);
            starts.AsSpan(0, _parts + 2).Clear();
            for (int i = 0; i < open.Length; i++)
            {
                ReadOnlySpan<float> box = boxes.Slice(4 * order[open[i]], 4);
                places[i] = CanOverlap(box) ? Part(box[Axis]) : -1;
                if (places[i] >= 0) starts[places[i] + 2]++;
            }

            for (int part = 2; part < _parts + 2; part++) starts[part] += starts[part - 1];
            // Each start, one further on, moves to its part's end, where it is the start of the next.
            for (int i = 0; i < open.Length; i++)
                if (places[i] >= 0) places[i] = starts[places[i] + 1]++;
            return starts;
        }
    }

    // Marks the boxes from a place to another that one box suppresses, and maybe some behind.
    private static void Mark<TSimd, TVector>(ref float rows, int length, int box, int from, int count, float threshold)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref float own = ref Unsafe.Add(ref rows, box);
        TVector left = TSimd.Create(own), top = TSimd.Create(Unsafe.Add(ref own, length));
        TVector right = TSimd.Create(Unsafe.Add(ref own, 2 * length)), bottom = TSimd.Create(Unsafe.Add(ref own, 3 * length));
        TVector area = TSimd.Create(Unsafe.Add(ref own, 4 * length)), limit = TSimd.Create(threshold), zero = TSimd.Create(0f);
        TVector low = TSimd.Create(threshold * NearlyOne), nearlyNothing = TSimd.Create(NearlyNothing);
        for (int j = from; j < count; j += TSimd.Width)
        {
            ref float other = ref Unsafe.Add(ref rows, j);
            TVector width = TSimd.Subtract(
                TSimd.Min(right, TSimd.Load(in other, 2 * (nuint)length)), TSimd.Max(left, TSimd.Load(in other, 0)));
            TVector height = TSimd.Subtract(
                TSimd.Min(bottom, TSimd.Load(in other, 3 * (nuint)length)), TSimd.Max(top, TSimd.Load(in other, (nuint)length)));
            TVector intersection = TSimd.Multiply(TSimd.Max(width, zero), TSimd.Max(height, zero));
            TVector union = TSimd.Subtract(TSimd.Add(area, TSimd.Load(in other, 4 * (nuint)length)), intersection);
            // A division only where a product says that the ratio is at the threshold or near it.
            if (!TSimd.GreaterThanAny(intersection, TSimd.Subtract(TSimd.Multiply(union, low), nearlyNothing))) continue;
            TVector marks = TSimd.GreaterThan<float>(TSimd.Divide(intersection, union), limit);
            TSimd.Store(TSimd.Or(marks, TSimd.Load(in other, 5 * (nuint)length)), ref other, 5 * (nuint)length);
        }
    }

    private readonly ref struct SuppressKernel(ReadOnlySpan<float> boxes, int[] order, float threshold) : ISimdKernel<int[]>
    {
        private readonly ReadOnlySpan<float> _boxes = boxes;

        public int[] Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct => Suppress<TSimd, TVector>(_boxes, order, threshold);

        public int[] RunScalar() => SuppressScalar(_boxes, order, threshold);
    }
}
