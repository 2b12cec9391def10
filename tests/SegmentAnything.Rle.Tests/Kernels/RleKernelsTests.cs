using System.Runtime.Intrinsics.X86;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Rle.Tests.Kernels;

/// <summary>
/// Every path of every kernel, by name and on every machine, against its scalar definition; inputs and outputs lie against
/// forbidden pages, so that reading or writing beyond them ends the tests.
/// </summary>
public class RleKernelsTests
{
    private delegate int[] Finder(ReadOnlySpan<byte> pixels);

    private delegate int[] RowFinder(ReadOnlySpan<byte> bitmap, int width, int height, int stride);

    private delegate int[] LogitFinder(ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff);

    private delegate void Filler(ReadOnlySpan<int> counts, byte foreground, Span<byte> pixels);

    private delegate void RowFiller(ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride);

    private delegate long Measurer(ReadOnlySpan<int> counts);

    private delegate int Writer(ReadOnlySpan<int> counts, Span<byte> text);

    private delegate int Reader(ReadOnlySpan<byte> text, Span<int> counts);

    /// <summary>All lengths from 0 to 257, then some beyond several vectors.</summary>
    private static IEnumerable<int> Lengths => [.. Enumerable.Range(0, 258), 511, 512, 513, 1000, 1023, 2049];

    // Values that are not only 0 and 1: every value but 0 is foreground.
    private static byte[] Pixels(int length, int seed, double change)
    {
        var random = new Random(seed);
        var pixels = new byte[length];
        byte value = random.Next(2) == 0 ? (byte)0 : (byte)1;
        for (int i = 0; i < length; i++)
        {
            if (random.NextDouble() < change) value = value == 0 ? (byte)random.Next(1, 256) : (byte)0;
            pixels[i] = value;
        }

        return pixels;
    }

    [Fact]
    public void FindRuns_EveryLength_MatchesScalar()
    {
        Finder[] paths = [RleKernels.FindRuns, RleKernels.FindRunsVector512, RleKernels.FindRunsVector256, RleKernels.FindRunsVector128];
        foreach (int length in Lengths.Where(length => length > 0))
        {
            foreach (double change in new[] { 0, 0.01, 0.1, 0.5, 1 })
            {
                byte[] pixels = Pixels(length, length, change);
                int[] expected = RleKernels.FindRunsScalar(pixels);
                foreach (BoundedSide side in Enum.GetValues<BoundedSide>())
                {
                    using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(pixels, side);
                    foreach (Finder path in paths)
                        AssertEqual(expected, path(guarded.Span), path.Method.Name, $"length {length}, change {change}");
                }
            }
        }
    }

    [Fact]
    public void FindRunsRowMajor_OddSizesAndStrides_MatchesScalar()
    {
        RowFinder[] paths =
        [
            RleKernels.FindRunsRowMajor, RleKernels.FindRunsRowMajorVector512, RleKernels.FindRunsRowMajorVector256,
            RleKernels.FindRunsRowMajorVector128,
        ];
        LogitFinder[] logitPaths =
        [
            RleKernels.FindRunsOfLogits, RleKernels.FindRunsOfLogitsVector512, RleKernels.FindRunsOfLogitsVector256,
            RleKernels.FindRunsOfLogitsVector128,
        ];
        foreach ((int width, int height, int stride) in OddSizes())
        {
            foreach (double change in new[] { 0, 0.02, 0.5 })
            {
                string about = $"{width} x {height}, stride {stride}, change {change}";
                byte[] pixels = Pixels(((height - 1) * stride) + width, width + height, change);
                int[] expected = RleKernels.FindRunsRowMajorScalar(pixels, width, height, stride);
                using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(pixels);
                foreach (RowFinder path in paths)
                    AssertEqual(expected, path(guarded.Span, width, height, stride), path.Method.Name, about);

                // NaN, infinities and both zeros among them; the cut-off is one of the values.
                float[] values = [float.NaN, float.NegativeInfinity, -1, -0f, 0f, 0.25f, 0.5f, float.PositiveInfinity];
                float[] logits = [.. pixels.Select((pixel, i) => pixel == 0 ? values[i % 5] : values[5 + (pixel % 3)])];
                foreach (float cutoff in new[] { 0f, 0.25f, float.NegativeInfinity })
                {
                    expected = RleKernels.FindRunsOfLogitsScalar(logits, width, height, stride, cutoff);
                    using BoundedMemory<float> guardedLogits = BoundedMemory.CopyOf<float>(logits);
                    foreach (LogitFinder path in logitPaths)
                        AssertEqual(expected, path(guardedLogits.Span, width, height, stride, cutoff), path.Method.Name, $"{about}, above {cutoff}");
                }
            }
        }
    }

    [Fact]
    public void FillRuns_EveryLength_MatchesScalar()
    {
        Filler[] paths = [RleKernels.FillRuns, RleKernels.FillRunsVector512, RleKernels.FillRunsVector256, RleKernels.FillRunsVector128];
        foreach (int length in Lengths.Where(length => length > 0))
        {
            foreach (double change in new[] { 0, 0.002, 0.01, 0.1, 0.5, 1 })
            {
                int[] counts = RleKernels.FindRunsScalar(Pixels(length, length, change));
                var expected = new byte[length];
                RleKernels.FillRunsScalar(counts, 255, expected);
                foreach (Filler path in paths)
                {
                    using var guarded = new BoundedMemory<byte>(length);
                    guarded.Span.Fill(7);
                    path(counts, 255, guarded.Span);
                    Assert.True(expected.AsSpan().SequenceEqual(guarded.Span), $"{path.Method.Name}, length {length}, change {change}");
                }
            }
        }
    }

    [Fact]
    public void FillRunsRowMajor_OddSizesAndStrides_MatchesScalar()
    {
        RowFiller[] paths =
        [
            RleKernels.FillRunsRowMajor, RleKernels.FillRunsRowMajorVector512, RleKernels.FillRunsRowMajorVector256,
            RleKernels.FillRunsRowMajorVector128,
        ];
        foreach ((int width, int height, int stride) in OddSizes())
        {
            foreach (double change in new[] { 0, 0.02, 0.5 })
            {
                int[] counts = RleKernels.FindRunsScalar(Pixels(width * height, width + height, change));
                int length = ((height - 1) * stride) + width;
                var expected = new byte[length];
                expected.AsSpan().Fill(7);
                RleKernels.FillRunsRowMajorScalar(counts, width, height, 255, expected, stride);
                foreach (RowFiller path in paths)
                {
                    using var guarded = new BoundedMemory<byte>(length);
                    guarded.Span.Fill(7);
                    path(counts, width, height, 255, guarded.Span, stride);
                    Assert.True(expected.AsSpan().SequenceEqual(guarded.Span), $"{path.Method.Name}, {width} x {height}, stride {stride}, change {change}");
                }
            }
        }
    }

    [Fact]
    public void Area_EveryLength_MatchesScalar()
    {
        Measurer[] paths = [RleKernels.Area, RleKernels.AreaVector512, RleKernels.AreaVector256, RleKernels.AreaVector128];
        foreach (int length in Lengths)
        {
            var random = new Random(length);
            // Large runs: sums beyond 32 bits must not wrap.
            int[] counts = [.. Enumerable.Range(0, length).Select(_ => random.Next(3) == 0 ? int.MaxValue : random.Next(1000))];
            using BoundedMemory<int> guarded = BoundedMemory.CopyOf<int>(counts);
            foreach (Measurer path in paths)
                Assert.True(RleKernels.AreaScalar(counts) == path(guarded.Span), $"{path.Method.Name}, {length} runs");
        }
    }

    [Fact]
    public void BoundingBox_OfAnyRuns_MatchesScalar()
    {
        foreach ((string name, _, RleMask mask) in MaskData.All())
            Assert.True(RleKernels.BoundingBoxScalar(mask.Counts, mask.Height) == RleKernels.BoundingBox(mask.Counts, mask.Height), name);
        var random = new Random(9);
        for (int i = 0; i < 3000; i++)
        {
            int width = random.Next(1, 40), height = random.Next(1, 40);
            RleMask mask = RleMask.FromColumnMajor(Pixels(width * height, i, random.NextDouble() * random.NextDouble() * 0.3), width, height);
            Assert.Equal(RleKernels.BoundingBoxScalar(mask.Counts, height), mask.BoundingBox);
        }
    }

    [Fact]
    public void WriteText_EveryNumberOfRuns_MatchesScalar()
    {
        List<Writer> paths = [RleKernels.WriteText, RleKernels.WriteTextSpread, RleKernels.WriteTextVector256];
        foreach (int length in Lengths.Where(length => length >= 3))
        {
            foreach (int largest in new[] { 2, 16, 17, 40, 600, 40_000, int.MaxValue })
            {
                int[] counts = Runs(length, largest, length);
                var expected = new byte[length * RleKernels.MaxGroups];
                int written = RleKernels.WriteTextScalar(counts, expected);
                // The widest path is written with instructions that not every processor has.
                foreach (Writer path in Avx512Vbmi2.IsSupported && length >= 18 ? [.. paths, RleKernels.WriteTextVector512] : paths)
                {
                    using BoundedMemory<int> guarded = BoundedMemory.CopyOf<int>(counts);
                    using var text = new BoundedMemory<byte>((length * RleKernels.MaxGroups) + 8);
                    Assert.True(written == path(guarded.Span, text.Span), $"{path.Method.Name}, {length} runs below {largest}");
                    Assert.True(
                        expected.AsSpan(0, written).SequenceEqual(text.Span[..written]), $"{path.Method.Name}, {length} runs below {largest}");
                }
            }
        }
    }

    [Fact]
    public void ReadText_EveryNumberOfRuns_MatchesScalar()
    {
        List<Reader> paths = [RleKernels.ReadText, RleKernels.ReadTextScalar, RleKernels.ReadTextVector128];
        foreach (int length in Lengths.Where(length => length > 0))
        {
            foreach (int largest in new[] { 2, 16, 17, 40, 600, 40_000, int.MaxValue })
            {
                int[] counts = Runs(length, largest, length);
                var buffer = new byte[length * RleKernels.MaxGroups];
                byte[] text = buffer[..RleKernels.WriteTextScalar(counts, buffer)];
                using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(text);
                Assert.Equal(length, RleKernels.CountNumbers(guarded.Span));
                using var read = new BoundedMemory<int>(length);
                foreach (Reader path in Avx512Vbmi2.IsSupported ? [.. paths, RleKernels.ReadTextVector512] : paths)
                {
                    read.Span.Clear();
                    Assert.True(length == path(guarded.Span, read.Span), $"{path.Method.Name}, {length} runs below {largest}");
                    Assert.True(counts.AsSpan().SequenceEqual(read.Span), $"{path.Method.Name}, {length} runs below {largest}");
                }
            }
        }
    }

    [Fact]
    public void ReadText_OfMalformedText_IsRefusedByEveryPath()
    {
        List<Reader> paths = [RleKernels.ReadTextVector128];
        if (Avx512Vbmi2.IsSupported) paths.Add(RleKernels.ReadTextVector512);
        int refused = 0;
        for (int seed = 0; seed < 4000; seed++)
        {
            var random = new Random(seed);
            int[] counts = Runs(random.Next(3, 200), random.Next(3) == 0 ? int.MaxValue : 600, seed);
            var buffer = new byte[counts.Length * RleKernels.MaxGroups];
            byte[] text = buffer[..RleKernels.WriteTextScalar(counts, buffer)];
            // A character that is none, or that makes another number of it; or a text that is cut off.
            text[random.Next(text.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0) text = text[..random.Next(1, text.Length + 1)];
            int[]? expected;
            try
            {
                var scalar = new int[RleKernels.CountNumbers(text)];
                expected = scalar[..RleKernels.ReadTextScalar(text, scalar)];
            }
            catch (RleFormatException)
            {
                expected = null;
                refused++;
            }

            using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(text);
            foreach (Reader path in paths)
            {
                var read = new int[RleKernels.CountNumbers(text)];
                int runs = path(guarded.Span, read);
                Assert.True(runs == (expected?.Length ?? -1), $"{path.Method.Name}, seed {seed}");
                if (expected is not null) Assert.True(expected.AsSpan().SequenceEqual(read.AsSpan(0, runs)), $"{path.Method.Name}, seed {seed}");
            }
        }

        Assert.InRange(refused, 1000, 3500);
    }

    [Fact]
    public void Canonicalize_OfAnyRuns_MatchesScalar()
    {
        var random = new Random(3);
        for (int i = 0; i < 20_000; i++)
        {
            int[] counts = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(30) == 0 ? 0 : random.Next(1, 50))];
            int[] expected = [.. counts];
            int kept = RleKernels.CanonicalizeScalar(expected, counts.Sum());
            int found = RleKernels.Canonicalize(counts, counts.Sum());
            AssertEqual(expected[..kept], counts[..found], nameof(RleKernels.Canonicalize), $"list {i}");
        }
    }

    [Fact]
    public void Combine_OfEveryKindOfPair_MatchesScalar()
    {
        var random = new Random(11);
        foreach ((int width, int height) in new[] { (1, 300), (40, 30), (64, 64), (90, 70), (200, 150) })
        {
            for (int round = 0; round < 150; round++)
            {
                int[] a = Some(width, height), b = round % 5 == 4 ? a : Some(width, height);
                foreach (BooleanOperation operation in Enum.GetValues<BooleanOperation>())
                {
                    int[] expected = RleKernels.CombineScalar(a, b, operation);
                    string about = $"{operation} of pair {round} of {width} x {height}";
                    AssertEqual(expected, RleKernels.Combine(a, b, width * height, operation), nameof(RleKernels.Combine), about);
                    foreach (int bits in new[] { 0, 256, 512 }.Where(bits => bits <= RleKernels.WidestVectors))
                        AssertEqual(expected, RleKernels.Combine(a, b, width * height, operation, bits), $"Combine with {bits} bits", about);
                }

                Assert.Equal(RleKernels.IntersectionAreaScalar(a, b), RleKernels.IntersectionArea(a, b, width * height));
                RleMask maskA = RleMask.FromCounts(a, width, height), maskB = RleMask.FromCounts(b, width, height);
                Assert.Equal(RleKernels.IntersectionAreaScalar(a, b), new IndexedRuns(maskA).IntersectionArea(new IndexedRuns(maskB)));
            }
        }

        // Blobs side by side, one above the other and one in the other; noise; stripes that touch; masks that fill a part of
        // the columns, none or all of them, and so come before, behind or inside each other.
        int[] Some(int width, int height) => RleKernels.FindRunsScalar(random.Next(6) switch
        {
            4 => Part(Pixels(width * height, random.Next(), random.NextDouble() * 0.5)),
            5 => Part([.. Enumerable.Repeat((byte)1, width * height)]),
            0 => Transposed(MaskData.Blobs(width, height, random.Next(), 1), width, height),
            1 => Transposed(MaskData.Blobs(width, height, random.Next(), 3), width, height),
            2 => Pixels(width * height, random.Next(), random.NextDouble()),
            _ => Pixels(width * height, random.Next(), 0.03),
        });

        byte[] Part(byte[] pixels)
        {
            int start = random.Next(pixels.Length + 1) * random.Next(2), end = random.Next(2) == 0 ? pixels.Length : random.Next(start, pixels.Length + 1);
            pixels.AsSpan(0, start).Clear();
            pixels.AsSpan(end).Clear();
            return pixels;
        }
    }

    [Fact]
    public void DenseOverlap_EveryLength_MatchesScalar()
    {
        foreach (int columns in Lengths)
        {
            var random = new Random(columns);
            // The columns that count, then more of one mask and nothing of the other.
            short[][] rows = [.. Enumerable.Range(0, 4).Select(_ => new short[columns + 32])];
            for (int i = 0; i < columns + 32; i++)
            {
                for (int mask = 0; mask < 2; mask++)
                {
                    if (i >= columns && mask == columns % 2) continue;
                    int top = random.Next(short.MaxValue), bottom = random.Next(3) == 0 ? short.MaxValue : random.Next(top, short.MaxValue) + 1;
                    if (random.Next(4) > 0) (rows[2 * mask][i], rows[(2 * mask) + 1][i]) = ((short)top, (short)bottom);
                }
            }

            using BoundedMemory<short> a = BoundedMemory.CopyOf<short>(rows[0]), b = BoundedMemory.CopyOf<short>(rows[1]);
            using BoundedMemory<short> c = BoundedMemory.CopyOf<short>(rows[2]), d = BoundedMemory.CopyOf<short>(rows[3]);
            int expected = IndexedRuns.DenseOverlapScalar(a.Span, b.Span, c.Span, d.Span, columns);
            Assert.Equal(expected, IndexedRuns.DenseOverlap(a.Span, b.Span, c.Span, d.Span, columns));
            Assert.Equal(expected, IndexedRuns.DenseOverlapVector256(a.Span, b.Span, c.Span, d.Span, columns));
            Assert.Equal(expected, IndexedRuns.DenseOverlapVector512(a.Span, b.Span, c.Span, d.Span, columns));
        }
    }

    [Fact]
    public void IntersectionArea_OfMasksOfMoreRowsThan16BitsCount_MatchesScalar()
    {
        RleMask a = RleMask.FromBox(0, 10, 2, 39_000, 3, 40_000), b = RleMask.FromBox(1, 500, 2, 39_400, 3, 40_000);
        Assert.Equal(RleKernels.IntersectionAreaScalar(a.Counts, b.Counts), new IndexedRuns(a).IntersectionArea(new IndexedRuns(b)));
        Assert.Equal(38_510, new IndexedRuns(a).IntersectionArea(new IndexedRuns(b)));
    }

    [Fact]
    public void Transpose_OfRandomBlocks_MovesEveryBit()
    {
        var random = new Random(5);
        var block = new ulong[64];
        for (int round = 0; round < 50; round++)
        {
            for (int i = 0; i < 64; i++) block[i] = (ulong)random.NextInt64() ^ ((ulong)random.NextInt64() << 32);
            ulong[] v128 = [.. block], v256 = [.. block], v512 = [.. block];
            BitWords128.Transpose(ref v128[0]);
            BitWords256.Transpose(ref v256[0]);
            BitWords512.Transpose(ref v512[0]);
            for (int r = 0; r < 64; r++)
            {
                for (int c = 0; c < 64; c++)
                {
                    ulong expected = (block[r] >> c) & 1;
                    Assert.True(expected == ((v128[c] >> r) & 1) && expected == ((v256[c] >> r) & 1) && expected == ((v512[c] >> r) & 1));
                }
            }
        }
    }

    [Fact]
    public void Suppress_OfRandomBoxes_MatchesScalar()
    {
        foreach (int count in Lengths.Where(length => length <= 513))
        {
            var random = new Random(count);
            // Whole numbers: ties and ratios at the threshold; some boxes without area, turned round or not numbers.
            float[] boxes = new float[4 * count];
            for (int i = 0; i < count; i++)
            {
                float x = random.Next(60), y = random.Next(60);
                (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) =
                    (x, y, x + random.Next(-1, 30), y + random.Next(-1, 30));
                if (random.Next(50) == 0) boxes[(4 * i) + random.Next(4)] = float.NaN;
                if (random.Next(50) == 0) boxes[(4 * i) + random.Next(4)] *= 1e-22f;
                if (random.Next(80) == 0) boxes[(4 * i) + 2] = float.PositiveInfinity;
            }

            int[] order = [.. Enumerable.Range(0, count)];
            random.Shuffle(order);
            using BoundedMemory<float> guarded = BoundedMemory.CopyOf<float>(boxes);
            foreach (float threshold in new[] { 0f, 0.1f, 1 / 3f, 0.5f, 0.7f, 1f, -0.5f, float.NaN })
            {
                int[] expected = BoxKernels.SuppressScalar(boxes, order, threshold);
                string about = $"{count} boxes, threshold {threshold}";
                AssertEqual(expected, BoxKernels.Suppress(guarded.Span, order, threshold), nameof(BoxKernels.Suppress), about);
                if (!(threshold >= 0)) continue;
                AssertEqual(expected, BoxKernels.SuppressVector512(guarded.Span, order, threshold), nameof(BoxKernels.SuppressVector512), about);
                AssertEqual(expected, BoxKernels.SuppressVector256(guarded.Span, order, threshold), nameof(BoxKernels.SuppressVector256), about);
                AssertEqual(expected, BoxKernels.SuppressVector128(guarded.Span, order, threshold), nameof(BoxKernels.SuppressVector128), about);
            }
        }
    }

    [Theory]
    [InlineData(1000, 80)]
    [InlineData(80, 1000)]
    [InlineData(1, 500)]
    public void Suppress_OfBoxesSpreadOneWay_MatchesScalar(int width, int height)
    {
        const int Count = 1500;
        var random = new Random(width);
        float scale = MathF.Pow(10, random.Next(-12, 12));
        var boxes = new float[4 * Count];
        for (int i = 0; i < Count; i++)
        {
            float x = random.Next(width), y = random.Next(height), w = 1 + random.Next(40), h = 1 + random.Next(40);
            // Boxes in and beside others, that share an edge with them: as far apart as the threshold lets them be.
            if (i % 3 == 2) (x, y) = (boxes[(4 * i) - 4] / scale, boxes[(4 * i) - 3] / scale);
            (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) = (x * scale, y * scale, (x + w) * scale, (y + h) * scale);
        }

        int[] order = [.. Enumerable.Range(0, Count)];
        random.Shuffle(order);
        foreach (float threshold in new[] { 0f, 1e-7f, 0.05f, 0.3f, 0.5f, 0.7f, 0.95f, 1f, 2f })
        {
            int[] expected = BoxKernels.SuppressScalar(boxes, order, threshold);
            string about = $"{width} x {height}, threshold {threshold}";
            AssertEqual(expected, BoxKernels.SuppressVector512(boxes, order, threshold), nameof(BoxKernels.SuppressVector512), about);
            AssertEqual(expected, BoxKernels.SuppressVector256(boxes, order, threshold), nameof(BoxKernels.SuppressVector256), about);
            AssertEqual(expected, BoxKernels.SuppressVector128(boxes, order, threshold), nameof(BoxKernels.SuppressVector128), about);
        }
    }

    [Fact]
    public void Panels_OfTallBitmaps_AreJoined()
    {
        // Taller than a panel holds in one: 2^19 words are 30 strips of 17,000 rows.
        const int Width = 2100, Height = 17_001;
        RleMask mask = RleMask.FromBox(new MaskBox(1900, 5, 150, 16_990), Width, Height)
            .Union(RleMask.FromBox(new MaskBox(3, 100, 1, 40), Width, Height));
        byte[] bitmap = mask.ToBitmap();
        Assert.Equal(mask.Area, bitmap.Length - (long)bitmap.AsSpan().Count((byte)0));
        Assert.Equal(mask, RleMask.FromBitmap(bitmap, Width, Height));
    }

    private static IEnumerable<(int Width, int Height, int Stride)> OddSizes()
    {
        foreach ((int width, int height) in MaskData.Sizes)
            foreach (int extra in new[] { 0, 1, 7, 64 })
                yield return (width, height, width + extra);
        for (int width = 15; width <= 130; width += 5) yield return (width, 66, width + 3);
        for (int height = 1; height <= 130; height += 7) yield return (67, height, 67);
    }

    private static int[] Runs(int count, int largest, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(largest))];
    }

    private static byte[] Transposed(byte[] bitmap, int width, int height)
    {
        var columns = new byte[bitmap.Length];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                columns[(x * height) + y] = bitmap[(y * width) + x];
        return columns;
    }

    private static void AssertEqual(int[] expected, int[] actual, string path, string about)
    {
        if (!expected.AsSpan().SequenceEqual(actual))
            Assert.Fail($"{path}, {about}: expected {string.Join(' ', expected.Take(20))} ..., found {string.Join(' ', actual.Take(20))} ...");
    }
}
