using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using SegmentAnything.Rle;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>
/// Every operation of the package against the plain way in C, in one process: the best of many short rounds, taken in turns,
/// so that a noisy machine disturbs both alike. Answers are compared first. In a minute what the full benchmarks take an
/// hour for; they remain the figures to publish.
/// </summary>
internal static unsafe class RleRatios
{
    private const int Width = 1800, Height = 1200;

    /// <summary>Runs all comparisons whose name contains the filter and writes a Markdown table.</summary>
    public static int Run(string filter)
    {
        if (!NativeBaseline.IsAvailable)
        {
            Console.Error.WriteLine("There is no C compiler (cc) to build the baseline with.");
            return 1;
        }

        string vectors = Vector512.IsHardwareAccelerated ? "512" : Vector256.IsHardwareAccelerated ? "256" : Vector128.IsHardwareAccelerated ? "128" : "no";
        Console.WriteLine($"Vectors of {vectors} bits; C: {NativeBaseline.Compiler}, -O3 -march=native; best of many rounds.");
        Console.WriteLine();
        Console.WriteLine("| operation | size | shape | C, µs | ours, µs | ratio | target | note |");
        Console.WriteLine("|---|---|---|---:|---:|---:|---:|---|");
        foreach ((int width, int height) in new[] { (640, 480), (Width, Height) })
        {
            foreach (string shape in RleShapes.Names) Compare(shape, width, height, filter);
            foreach (int points in new[] { 16, 128, 512 }) ComparePolygon(points, width, height, filter);
        }

        CompareIou(filter);
        CompareSuppression(filter);
        CompareBatch(filter);
        return 0;
    }

    private static void Compare(string shape, int width, int height, string filter)
    {
        byte[] bitmap = RleShapes.Bitmap(shape, width, height);
        RleMask mask = RleMask.FromBitmap(bitmap, width, height), other = RleShapes.Mask(shape, width, height, seed: 2);
        int pixels = width * height, runs = mask.Counts.Length, otherRuns = other.Counts.Length;
        var columns = new byte[pixels];
        mask.ToColumnMajor(columns);
        byte* pixelBytes = Copy(bitmap), columnBytes = Copy(columns), scratch = Allocate<byte>(pixels), written = Allocate<byte>(pixels);
        uint* counts = Copy(MemoryMarshal.Cast<int, uint>(mask.Counts)), otherCounts = Copy(MemoryMarshal.Cast<int, uint>(other.Counts));
        uint* result = Allocate<uint>(pixels + 1);
        byte[] text = mask.ToCocoUtf8(), textBuffer = new byte[(7 * runs) + 8], decoded = new byte[pixels];
        var readCounts = new int[runs];
        byte* textBytes = Copy<byte>([.. text, 0]), writtenText = Allocate<byte>((7 * runs) + 8);
        int* labels = Allocate<int>(pixels), parents = Allocate<int>((pixels / 2) + 2);
        bool noise = shape == "noise";

        Check(NativeBaseline.Encode(columnBytes, pixels, result), result, mask);
        Row("encode, columns", width, height, shape, filter, noise ? 1 : 10, pixels,
            () => NativeBaseline.Encode(columnBytes, pixels, result), () => RleMask.FromColumnMajor(columns, width, height));
        Check(NativeBaseline.EncodeRows(pixelBytes, width, height, scratch, result), result, mask);
        Row("encode, rows", width, height, shape, filter, noise ? 1 : 20, pixels,
            () => NativeBaseline.EncodeRows(pixelBytes, width, height, scratch, result), () => RleMask.FromBitmap(bitmap, width, height));
        Row("decode, columns", width, height, shape, filter, noise ? 1 : 15, pixels,
            () => NativeBaseline.Decode(counts, runs, written), () => mask.ToColumnMajor(decoded));
        Row("decode, rows", width, height, shape, filter, noise ? 1 : 15, pixels,
            () => NativeBaseline.DecodeRows(counts, runs, width, height, scratch, written), () => mask.ToBitmap(decoded));
        NativeBaseline.Area(counts, runs, result);
        Equal(*result, mask.Area);
        Row("area", width, height, shape, filter, noise ? 1 : 5, 0,
            () => NativeBaseline.Area(counts, runs, result), () => _sink += mask.Area, $"{runs} runs");
        Equal(NativeBaseline.AreaInARegister(counts, runs), mask.Area);
        Row("area, C in a register", width, height, shape, filter, 1, 0,
            () => NativeBaseline.AreaInARegister(counts, runs), () => _sink += mask.Area);
        Row("box", width, height, shape, filter, 1, 0,
            () => NativeBaseline.Box(counts, runs, width, height, result), () => _sink += mask.BoundingBox.X);
        Equal(NativeBaseline.ToText(counts, runs, writtenText), text.Length);
        Row("text, write into a buffer", width, height, shape, filter, noise ? 1 : 4, 0,
            () => NativeBaseline.ToText(counts, runs, writtenText), () => mask.ToCocoUtf8(textBuffer));
        Check(NativeBaseline.FromText(textBytes, result), result, mask);
        Row("text, read into a buffer", width, height, shape, filter, noise ? 1 : 4, 0,
            () => NativeBaseline.FromText(textBytes, result), () => RleMask.CocoStringToCounts(text, width, height, readCounts));
        Row("text, read to a new mask", width, height, shape, filter, noise ? 1 : 4, 0,
            () => NativeBaseline.FromText(textBytes, result), () => RleMask.FromCocoString(text, width, height));
        Row("text, read to a new mask, C to a new array", width, height, shape, filter, noise ? 1 : 4, 0,
            () =>
            {
                int read;
                NativeBaseline.Free(NativeBaseline.NewFromText(textBytes, &read));
            },
            () => RleMask.FromCocoString(text, width, height));
        // As when a file of annotations is read: memory is not used again before all are there.
        var nativeMasks = new nint[100];
        Row("text, read 100 masks and keep them, C to new arrays", width, height, shape, filter, noise ? 1 : 4, 0,
            () =>
            {
                int read;
                for (int i = 0; i < nativeMasks.Length; i++) nativeMasks[i] = (nint)NativeBaseline.NewFromText(textBytes, &read);
                foreach (nint native in nativeMasks) NativeBaseline.Free((uint*)native);
            },
            () =>
            {
                var masks = new RleMask[100];
                for (int i = 0; i < masks.Length; i++) masks[i] = RleMask.FromCocoString(text, width, height);
                GC.KeepAlive(masks);
            });
        Check(NativeBaseline.Merge(counts, runs, otherCounts, otherRuns, 0, result), result, mask.Union(other));
        Row("union", width, height, shape, filter, noise ? 1 : 4, 0,
            () => NativeBaseline.Merge(counts, runs, otherCounts, otherRuns, 0, result), () => mask.Union(other));
        Check(NativeBaseline.Merge(counts, runs, otherCounts, otherRuns, 1, result), result, mask.Intersection(other));
        Row("intersection", width, height, shape, filter, noise ? 1 : 4, 0,
            () => NativeBaseline.Merge(counts, runs, otherCounts, otherRuns, 1, result), () => mask.Intersection(other));
        Equal(NativeBaseline.Components(pixelBytes, width, height, labels, parents), mask.ConnectedComponents().Length);
        Row("components", width, height, shape, filter, noise ? 1 : 10, 0,
            () => NativeBaseline.Components(pixelBytes, width, height, labels, parents),
            () =>
            {
                using RunComponents found = RunComponents.Find(mask.Counts, height, foreground: true, PixelConnectivity.Eight);
                _sink += found.Count;
            });

        byte[] otherBitmap = other.ToBitmap();
        byte* otherBytes = Copy<byte>(otherBitmap);
        foreach (int radius in new[] { 1, 5 })
        {
            Pixels("dilate, square", $"{shape}, radius {radius}", () => NativeBaseline.Dilate(pixelBytes, width, height, radius, scratch, written), () => mask.Dilate(radius));
            Pixels("dilate, disk", $"{shape}, radius {radius}", () => NativeBaseline.DilateDisk(pixelBytes, width, height, radius, written),
                () => mask.Dilate(radius, StructuringElement.Disk));
        }

        Pixels("transpose", shape, () => NativeBaseline.Transpose(pixelBytes, width, height, written), mask.Transpose);
        Pixels("resize, to a half", shape, () => NativeBaseline.Resize(pixelBytes, width, height, width / 2, height / 2, written), () => mask.Resize(width / 2, height / 2));
        double ratio = NativeBaseline.Dice(pixelBytes, otherBytes, pixels);
        if (ratio != mask.Dice(other)) throw new InvalidOperationException($"Dice: {ratio} in C, {mask.Dice(other)} ours.");
        Row("dice", width, height, shape, filter, noise ? 1 : 5, 0,
            () => _sum += NativeBaseline.Dice(pixelBytes, otherBytes, pixels), () => _sum += mask.Dice(other));
        Free([(nint)otherBytes]);

        // C from bitmap to bitmap, ours from mask to mask.
        void Pixels(string operation, string remark, Action native, Func<RleMask> ours)
        {
            if (!operation.Contains(filter, StringComparison.Ordinal)) return;
            native();
            RleMask result = ours();
            if (RleMask.FromBitmap(new ReadOnlySpan<byte>(written, result.Width * result.Height), result.Width, result.Height) != result)
                throw new InvalidOperationException($"{operation}, {remark}: C and ours differ.");
            Row(operation, width, height, remark, filter, noise ? 1 : 5, 0, native, () => ours());
        }

        Free(pixelBytes, columnBytes, scratch, written, counts, otherCounts, result, textBytes, writtenText, labels, parents);
    }

    private static void ComparePolygon(int points, int width, int height, string filter)
    {
        double[] polygon = RleShapes.Polygon(points, width, height);
        double* coordinates = Copy(polygon);
        uint* result = Allocate<uint>((width * height) + 1);
        Check(NativeBaseline.Polygon(coordinates, points, width, height, result), result, RleMask.FromPolygon(polygon, width, height));
        Row("polygon", width, height, $"{points} points", filter, 4, 0,
            () => NativeBaseline.Polygon(coordinates, points, width, height, result), () => RleMask.FromPolygon(polygon, width, height));
        Free(coordinates, result);
    }

    private static void CompareIou(string filter)
    {
        if (!"iou matrix 500x500, into a matrix".Contains(filter, StringComparison.Ordinal)) return;
        foreach (string shape in new[] { "blob 0.5 %", "blob 5 %", "blob 30 %" })
        {
            const int Count = 500;
            RleMask[] detections = [.. Enumerable.Range(0, Count).Select(i => RleShapes.Mask(shape, 640, 480, seed: i))];
            RleMask[] truths = [.. Enumerable.Range(Count, Count).Select(i => RleShapes.Mask(shape, 640, 480, seed: i))];
            (nint detectionLists, nint detectionRuns) = Lists(detections);
            (nint truthLists, nint truthRuns) = Lists(truths);
            double* ratios = Allocate<double>(Count * Count);
            void Native() => NativeBaseline.Iou(
                (uint**)detectionLists, (int*)detectionRuns, Count, (uint**)truthLists, (int*)truthRuns, Count, 640, 480, ratios);
            Native();
            double[,] ours = IouMatrix.Masks(detections, truths);
            for (int i = 0; i < Count * Count; i++)
                if (ratios[i] != ours[i % Count, i / Count]) throw new InvalidOperationException($"IoU {i}: {ratios[i]} in C, {ours[i % Count, i / Count]} ours.");
            Row("iou matrix 500x500", 640, 480, shape, filter, 10, 0, Native, () => IouMatrix.Masks(detections, truths));
            var written = new double[Count * Count];
            Row("iou matrix 500x500, into a matrix", 640, 480, shape, filter, 10, 0, Native,
                () => IouMatrix.Masks(detections, truths, default, written));
        }
    }

    private static void CompareSuppression(string filter)
    {
        const int Count = 3000;
        (float[] boxes, float[] scores) = RleShapes.Boxes(Count, Width, Height);
        int[] order = NonMaximumSuppression.OrderByScore(scores);
        float* sorted = Copy<float>([.. order.SelectMany(i => boxes.Skip(4 * i).Take(4))]);
        byte* keep = Allocate<byte>(Count);
        foreach (double threshold in new[] { 0.7, 0.3 })
        {
            Equal(NativeBaseline.Suppress(sorted, Count, (float)threshold, keep), NonMaximumSuppression.Boxes(boxes, scores, threshold).Length);
            // Ours includes the sorting, which C is spared here.
            Row("suppression of 3,000 boxes", Width, Height, $"threshold {threshold}", filter, 10, 0,
                () => NativeBaseline.Suppress(sorted, Count, (float)threshold, keep), () => NonMaximumSuppression.Boxes(boxes, scores, threshold));
        }

        Free(sorted, keep);
    }

    private static void CompareBatch(string filter)
    {
        const int Count = 1000;
        byte[][] bitmaps = [.. Enumerable.Range(0, 50).Select(i => RleShapes.Bitmap(RleShapes.Names[i % 3], 640, 480, i))];
        nint[] native = [.. bitmaps.Select(bitmap => (nint)Copy(bitmap))];
        byte* scratch = Allocate<byte>(640 * 480);
        uint* result = Allocate<uint>((640 * 480) + 1);
        Row("batch of 1000: encode, rows", 640, 480, "blobs", filter, 20, Count * 640L * 480,
            () =>
            {
                for (int i = 0; i < Count; i++) NativeBaseline.EncodeRows((byte*)native[i % native.Length], 640, 480, scratch, result);
            },
            () =>
            {
                for (int i = 0; i < Count; i++) _sink += RleMask.FromBitmap(bitmaps[i % bitmaps.Length], 640, 480).Counts.Length;
            });
        foreach (nint bitmap in native) NativeMemory.Free((void*)bitmap);
        Free(scratch, result);
    }

    /// <summary>Keeps results alive, so that nothing is optimised away.</summary>
    private static long _sink;

    private static double _sum;

    private static void Row(
        string operation, int width, int height, string shape, string filter, double target, long bytes, Action native, Action ours,
        string remark = "")
    {
        if (!operation.Contains(filter, StringComparison.Ordinal)) return;
        // Tiered compilation needs some calls and some time before the final code is there.
        var warm = Stopwatch.StartNew();
        while (warm.ElapsedMilliseconds < 300) ours();
        native();
        int nativeRepeats = RepeatsFor(native), oursRepeats = RepeatsFor(ours);
        double best = double.PositiveInfinity, bestNative = double.PositiveInfinity;
        var clock = Stopwatch.StartNew();
        for (int round = 0; round < 2000 && clock.ElapsedMilliseconds < 500; round++)
        {
            bestNative = Math.Min(bestNative, Time(native, nativeRepeats));
            best = Math.Min(best, Time(ours, oursRepeats));
        }

        string note = bytes > 0 ? $"{bytes / best / 1e9:F1} GB/s" : remark;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {operation} | {width}x{height} | {shape} | {bestNative * 1e6:F3} | {best * 1e6:F3} | {bestNative / best:F1} | {target:F0} | {note}{(bestNative / best < target ? " (below)" : "")} |"));
    }

    // Calls that take 50 microseconds together: long for the clock, short for whatever else the machine does.
    private static int RepeatsFor(Action action)
    {
        int repeats = 1;
        while (repeats < 1 << 20 && Time(action, repeats) * repeats < 50e-6) repeats *= 2;
        return repeats;
    }

    private static double Time(Action action, int repeats)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++) action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / repeats;
    }

    private static (nint Lists, nint Runs) Lists(RleMask[] masks)
    {
        uint** lists = (uint**)NativeMemory.Alloc((nuint)(masks.Length * sizeof(nint)));
        int* runs = Allocate<int>(masks.Length);
        for (int i = 0; i < masks.Length; i++)
        {
            lists[i] = Copy(MemoryMarshal.Cast<int, uint>(masks[i].Counts));
            runs[i] = masks[i].Counts.Length;
        }

        return ((nint)lists, (nint)runs);
    }

    private static void Check(int runs, uint* counts, RleMask mask)
    {
        if (!new ReadOnlySpan<int>(counts, runs).SequenceEqual(mask.Counts))
            throw new InvalidOperationException($"C gives {runs} runs and ours {mask.Counts.Length}, or other ones.");
    }

    private static void Equal(long native, long ours)
    {
        if (native != ours) throw new InvalidOperationException($"C gives {native}, ours {ours}.");
    }

    private static T* Allocate<T>(int count)
        where T : unmanaged => (T*)NativeMemory.AllocZeroed((nuint)count, (nuint)sizeof(T));

    private static T* Copy<T>(ReadOnlySpan<T> source)
        where T : unmanaged
    {
        T* copy = Allocate<T>(source.Length);
        source.CopyTo(new Span<T>(copy, source.Length));
        return copy;
    }

    private static byte* Copy(byte[] source) => Copy((ReadOnlySpan<byte>)source);

    private static double* Copy(double[] source) => Copy((ReadOnlySpan<double>)source);

    private static void Free(params ReadOnlySpan<nint> blocks)
    {
        foreach (nint block in blocks) NativeMemory.Free((void*)block);
    }

    private static void Free(void* a, void* b) => Free([(nint)a, (nint)b]);

    private static void Free(
        void* a, void* b, void* c, void* d, void* e, void* f, void* g, void* h, void* i, void* j, void* k) =>
        Free([(nint)a, (nint)b, (nint)c, (nint)d, (nint)e, (nint)f, (nint)g, (nint)h, (nint)i, (nint)j, (nint)k]);
}
