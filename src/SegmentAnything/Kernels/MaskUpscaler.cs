using System.Collections.Concurrent;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SegmentAnything.Rle;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Kernels;

/// <summary>
/// Brings a decoder's low-resolution logits to the size of the source image and measures the mask, without ever holding
/// the resized logits.
/// </summary>
/// <remarks>
/// <code>
///   low resolution         model frame            the part that is image       source size
///   256 x 256   --resize-&gt; 1024 x 1024   --crop-&gt;  w x h (max 1024)  --resize-&gt;  W x H  --cut-&gt; bits --&gt; runs
/// </code>
/// Both resizes are bilinear with pixel centres at halves, and separable: first along x between two columns, then along
/// y. Work goes by source columns, as runs do, so that the bits of a column come out in the order of the runs:
/// <code>
///   low column pair  --blend--&gt;  low column at model x  --interpolate along y--&gt;  model column      (each once)
///   model column pair  --blend--&gt;  column at source x  --interpolate along y, cut--&gt;  64 bits at a time
/// </code>
/// An interpolated value lies between its corners. Where all low-resolution logits under 64 pixels of a column are
/// beyond every cut-off on one side, by more than rounding can do, the 64 bits are known and nothing is computed.
/// Exactness: every path gives what <see cref="UpscaleLogitsScalar"/> and a comparison give.
/// Safe to use from several threads; scratch memory is pooled, only the runs that are returned are allocated.
/// Source: Segment Anything, modeling/sam.py (postprocess_masks), utils/amg.py (calculate_stability_score,
/// mask_to_rle_pytorch). Measured by: MaskUpscalerBenchmarks.
/// </remarks>
internal sealed partial class MaskUpscaler : IMaskUpscaler
{
    // Four blends, each with at most three roundings of half a unit in 2^-24 of the largest value, and a quarter to spare.
    private const float RoundingMargin = 1f / (1 << 20);

    // A score is the quotient of two areas as floats: three roundings of half a unit in 2^-24, and as much to spare.
    private const double ScoreMargin = 4e-7;

    private readonly InterpolationAxis _modelX, _modelY, _sourceX, _sourceY;
    private readonly int _lowResSize, _lowRows, _lowColumns, _words;
    private readonly WordRows[] _wordRows;
    private readonly ConcurrentBag<Scratch> _scratch = [];

    /// <summary>Prepares the resizing for one image size.</summary>
    /// <param name="inputSize">The size of the image in the model's frame, before padding.</param>
    /// <param name="outputSize">The size of the source image.</param>
    /// <param name="lowResSize">The side of the low-resolution logits.</param>
    /// <param name="modelSize">The side of the model's padded frame.</param>
    public MaskUpscaler(ImageSize inputSize, ImageSize outputSize, int lowResSize = 256, int modelSize = 1024)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lowResSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(modelSize, 1);
        if (inputSize.Width < 1 || inputSize.Height < 1 || inputSize.Width > modelSize || inputSize.Height > modelSize)
            throw new ArgumentOutOfRangeException(nameof(inputSize), inputSize, $"Expected 1x1 to {modelSize}x{modelSize}.");
        if (outputSize.Width < 1 || outputSize.Height < 1 || (long)outputSize.Width * outputSize.Height > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(outputSize), outputSize, "Expected 1 to 2147483647 pixels.");
        InputSize = inputSize;
        OutputSize = outputSize;
        _lowResSize = lowResSize;
        _modelX = new InterpolationAxis(lowResSize, modelSize, inputSize.Width);
        _modelY = new InterpolationAxis(lowResSize, modelSize, inputSize.Height);
        _sourceX = new InterpolationAxis(inputSize.Width, outputSize.Width, outputSize.Width);
        _sourceY = new InterpolationAxis(inputSize.Height, outputSize.Height, outputSize.Height);
        _lowColumns = _modelX.Second[inputSize.Width - 1] + 1;
        _lowRows = _modelY.Second[inputSize.Height - 1] + 1;

        _words = (outputSize.Height + 63) / 64;
        _wordRows = new WordRows[_words];
        for (int word = 0; word < _words; word++)
        {
            int firstModelRow = _sourceY.First[64 * word];
            int lastModelRow = _sourceY.Second[(64 * word) + 63];
            int start = firstModelRow & ~15;
            _wordRows[word] = new WordRows(
                _modelY.First[firstModelRow], _modelY.Second[lastModelRow], start, ((lastModelRow + 16) & ~15) - start);
        }
    }

    private enum WordState : byte
    {
        Below,
        Above,
        Mixed,
    }

    /// <summary>The size of the image in the model's frame, before padding.</summary>
    public ImageSize InputSize { get; }

    /// <summary>Rows of low-resolution logits that are read: the image's, without its padding.</summary>
    public int LowResRows => _lowRows;

    /// <summary>The size of the masks.</summary>
    public ImageSize OutputSize { get; }

    /// <summary>Resizes logits, cuts them, and gives the mask and what its stability is computed from.</summary>
    /// <param name="lowResLogits">lowResSize x lowResSize values, row-major.</param>
    /// <param name="cutoff">Resized logits above this are mask.</param>
    /// <param name="stabilityOffset">How far below and above the cut-off pixels are counted too; not negative.</param>
    public MaskMeasurement Measure(ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset)
    {
        TryMeasure(lowResLogits, cutoff, stabilityOffset, float.NegativeInfinity, keepUnstable: true, out MaskMeasurement measurement);
        return measurement;
    }

    /// <summary>As <see cref="Measure(ReadOnlySpan{float}, float, float)"/>, but makes no mask where the stability score is less than a threshold, or NaN.</summary>
    /// <param name="lowResLogits">lowResSize x lowResSize values, row-major.</param>
    /// <param name="cutoff">Resized logits above this are mask.</param>
    /// <param name="stabilityOffset">How far below and above the cut-off pixels are counted too; not negative.</param>
    /// <param name="stabilityThreshold">The least score that is accepted.</param>
    /// <param name="measurement">The mask, where it is stable.</param>
    /// <returns>Whether it is.</returns>
    public bool TryMeasure(
        ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset, float stabilityThreshold, out MaskMeasurement measurement) =>
        TryMeasure(lowResLogits, cutoff, stabilityOffset, stabilityThreshold, keepUnstable: false, out measurement);

    /// <summary>Resizes logits to the size of the source image.</summary>
    /// <param name="lowRes">lowResSize x lowResSize values, row-major.</param>
    /// <param name="destination">Height x width values, row-major.</param>
    public void UpscaleLogits(ReadOnlySpan<float> lowRes, Span<float> destination)
    {
        CheckLogits(lowRes);
        (int width, int height) = (OutputSize.Width, OutputSize.Height);
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, width * height, nameof(destination));
        Scratch scratch = Rent();
        RowScratch rows = scratch.Rows ??= new RowScratch(this);
        rows.Forget();
        for (int y = 0; y < height; y++)
        {
            int first = _sourceY.First[y], second = _sourceY.Second[y];
            ReadOnlySpan<float> a = SourceRow(lowRes, first, rows);
            ReadOnlySpan<float> b = SourceRow(lowRes, second, rows);
            MaskKernels.Blend(a[..width], _sourceY.FirstWeight[y], b[..width], _sourceY.SecondWeight[y], destination.Slice(y * width, width));
        }

        _scratch.Add(scratch);
    }

    /// <summary>The definition of <see cref="UpscaleLogits"/>: both resizes one after the other, one value at a time.</summary>
    internal void UpscaleLogitsScalar(ReadOnlySpan<float> lowRes, Span<float> destination)
    {
        float[] model = new float[InputSize.Width * InputSize.Height];
        ResizeScalar(lowRes, _lowResSize, _modelX, _modelY, model);
        ResizeScalar(model, InputSize.Width, _sourceX, _sourceY, destination);
    }

    private static void ResizeScalar(
        ReadOnlySpan<float> source, int stride, InterpolationAxis axisX, InterpolationAxis axisY, Span<float> destination)
    {
        for (int y = 0; y < axisY.Length; y++)
        {
            ReadOnlySpan<float> upper = source[(axisY.First[y] * stride)..];
            ReadOnlySpan<float> lower = source[(axisY.Second[y] * stride)..];
            for (int x = 0; x < axisX.Length; x++)
            {
                float above = MathF.FusedMultiplyAdd(
                    upper[axisX.First[x]], axisX.FirstWeight[x], upper[axisX.Second[x]] * axisX.SecondWeight[x]);
                float below = MathF.FusedMultiplyAdd(
                    lower[axisX.First[x]], axisX.FirstWeight[x], lower[axisX.Second[x]] * axisX.SecondWeight[x]);
                destination[(y * axisX.Length) + x] =
                    MathF.FusedMultiplyAdd(above, axisY.FirstWeight[y], below * axisY.SecondWeight[y]);
            }
        }
    }

    private void CheckLogits(ReadOnlySpan<float> lowRes)
    {
        if (lowRes.Length != _lowResSize * _lowResSize)
            throw new ArgumentException($"Expected {_lowResSize} x {_lowResSize} logits, found {lowRes.Length}.", nameof(lowRes));
    }

    private Scratch Rent() => _scratch.TryTake(out Scratch? scratch) ? scratch : new Scratch(this);

    private bool TryMeasure(
        ReadOnlySpan<float> lowResLogits, float cutoff, float offset, float threshold, bool keepUnstable, out MaskMeasurement measurement)
    {
        CheckLogits(lowResLogits);
        CheckOffset(offset);
        Scratch scratch = Rent();
        double giveUpBelow = keepUnstable ? double.NegativeInfinity : threshold - ScoreMargin;
        bool accepted = TryMeasureColumns(lowResLogits, Cutoffs.Around(cutoff, offset), 0, OutputSize.Width, giveUpBelow, scratch)
            && (keepUnstable || (float)scratch.UpperArea / scratch.LowerArea >= threshold);
        measurement = accepted ? Join(new ReadOnlySpan<Scratch>(ref scratch)) : default;
        _scratch.Add(scratch);
        return accepted;
    }

    private static void CheckOffset(float offset)
    {
        if (!(offset >= 0)) throw new ArgumentOutOfRangeException(nameof(offset), offset, "The stability offset must be 0 or more.");
    }

    // Measures neighbouring columns of the mask into the scratch memory. False, and not all measured, where the columns so
    // far prove that their stability score will be below a limit.
    private bool TryMeasureColumns(
        ReadOnlySpan<float> lowResLogits, in Cutoffs cutoffs, int first, int end, double giveUpBelow, Scratch scratch)
    {
        bool mayGiveUp = giveUpBelow > 0;
        scratch.Begin(cutoffs, first * OutputSize.Height);
        Classify(lowResLogits, _modelX.First[_sourceX.First[first]], _modelX.Second[_sourceX.Second[end - 1]], scratch);
        if (mayGiveUp) BoundWhatFollows(first, end, scratch);
        (int First, int Last) columns = (-1, -1);
        for (int x = first; x < end; x++)
        {
            if (columns != LowColumnsOf(x))
            {
                // At best, all that may follow is above every cut-off.
                if (mayGiveUp && scratch.UpperArea + scratch.Following[x] < giveUpBelow * (scratch.LowerArea + scratch.Following[x])) return false;
                columns = LowColumnsOf(x);
                DivideColumn(columns.First, columns.Last, scratch);
            }

            MeasureColumn(x, scratch);
        }

        return true;
    }

    private (int First, int Last) LowColumnsOf(int x) => (_modelX.First[_sourceX.First[x]], _modelX.Second[_sourceX.Second[x]]);

    // For each column, at most how many pixels of it and of those behind it are above the lowest cut-off.
    private void BoundWhatFollows(int first, int end, Scratch scratch)
    {
        (int First, int Last) columns = (-1, -1);
        long following = 0, inColumn = 0;
        for (int x = end - 1; x >= first; x--)
        {
            if (columns != LowColumnsOf(x))
            {
                columns = LowColumnsOf(x);
                AllOf(scratch.Below, columns.First, columns.Last, scratch.ColumnBelow);
                inColumn = 0;
                foreach (ref readonly WordRows rows in _wordRows.AsSpan())
                {
                    if (!MaskKernels.AllSet(scratch.ColumnBelow, rows.FirstLowRow, rows.LastLowRow)) inColumn += 64;
                }
            }

            scratch.Following[x] = following += inColumn;
        }
    }

    // The bits that neighbouring low-resolution columns have in common.
    private static void AllOf(ulong[] bits, int first, int last, ulong[] common)
    {
        bits.AsSpan(first * common.Length, common.Length).CopyTo(common);
        for (int column = first + 1; column <= last; column++)
        {
            for (int word = 0; word < common.Length; word++) common[word] &= bits[(column * common.Length) + word];
        }
    }

    // The whole mask from its parts, which lie side by side in their order.
    private MaskMeasurement Join(ReadOnlySpan<Scratch> parts)
    {
        int changes = 0;
        long lower = 0, middle = 0, upper = 0;
        bool foreground = false;
        foreach (Scratch part in parts)
        {
            changes += part.ChangesAfter(foreground);
            foreground = part.EndsInForeground;
            lower += part.LowerArea;
            middle += part.Area;
            upper += part.UpperArea;
        }

        int[] counts = GC.AllocateUninitializedArray<int>(changes + 1);
        int written = 0, position = 0;
        foreground = false;
        foreach (Scratch part in parts)
        {
            part.WriteCounts(foreground, counts, ref written, ref position);
            foreground = part.EndsInForeground;
        }

        counts[written] = (OutputSize.Width * OutputSize.Height) - position;
        return new MaskMeasurement(RleMask.FromOwnedCounts(counts, OutputSize.Width, OutputSize.Height), lower, middle, upper);
    }

    // Low-resolution columns, and for each value whether it is clearly below or clearly above every cut-off.
    private void Classify(ReadOnlySpan<float> lowRes, int firstColumn, int lastColumn, Scratch scratch)
    {
        MaskKernels.Transpose(lowRes[firstColumn..], _lowResSize, _lowRows, lastColumn + 1 - firstColumn,
            scratch.LowColumns.AsSpan(firstColumn * scratch.LowStride), scratch.LowStride);
        float margin = Math.Abs(TensorPrimitives.MaxMagnitude(lowRes[..(_lowRows * _lowResSize)])) * RoundingMargin;
        float belowLimit = scratch.Cutoffs.Lower - margin, aboveLimit = scratch.Cutoffs.Upper + margin;
        for (int column = firstColumn; column <= lastColumn; column++)
        {
            MaskKernels.Classify(scratch.LowColumn(column)[.._lowRows], belowLimit, aboveLimit,
                scratch.Below.AsSpan(column * scratch.LowWords, scratch.LowWords),
                scratch.Above.AsSpan(column * scratch.LowWords, scratch.LowWords));
        }
    }

    // Divides the words of a column into stretches of the same state. It holds for all source columns that lie over the
    // same low-resolution columns.
    private void DivideColumn(int lowFirst, int lowLast, Scratch scratch)
    {
        ulong[] below = scratch.ColumnBelow, above = scratch.ColumnAbove;
        AllOf(scratch.Below, lowFirst, lowLast, below);
        AllOf(scratch.Above, lowFirst, lowLast, above);
        int count = 0;
        for (int word = 0; word < _words; word++)
        {
            ref readonly WordRows rows = ref _wordRows[word];
            WordState state = MaskKernels.AllSet(below, rows.FirstLowRow, rows.LastLowRow) ? WordState.Below
                : MaskKernels.AllSet(above, rows.FirstLowRow, rows.LastLowRow) ? WordState.Above
                : WordState.Mixed;
            if (count > 0 && scratch.Stretches[count - 1].State == state) scratch.Stretches[count - 1].End = word + 1;
            else scratch.Stretches[count++] = new Stretch { Start = word, End = word + 1, State = state };
        }

        scratch.StretchCount = count;
        scratch.Division++;
    }

    private void MeasureColumn(int x, Scratch scratch)
    {
        int height = OutputSize.Height;
        int column = x * height;
        foreach (ref readonly Stretch stretch in scratch.Stretches.AsSpan(0, scratch.StretchCount))
        {
            if (stretch.State == WordState.Mixed)
            {
                MeasureStretch(x, stretch, scratch);
                continue;
            }

            bool foreground = stretch.State == WordState.Above;
            scratch.AddStretch(column + (64 * stretch.Start), foreground);
            if (foreground)
            {
                int pixels = Math.Min(64 * stretch.End, height) - (64 * stretch.Start);
                scratch.LowerArea += pixels;
                scratch.Area += pixels;
                scratch.UpperArea += pixels;
            }
        }
    }

    private void MeasureStretch(int x, in Stretch stretch, Scratch scratch)
    {
        (int firstRow, int rowCount) = ModelRowsOf(stretch);
        ReadOnlySpan<float> a = ModelColumn(_sourceX.First[x], scratch).Slice(firstRow, rowCount);
        ReadOnlySpan<float> b = ModelColumn(_sourceX.Second[x], scratch).Slice(firstRow, rowCount);
        MaskKernels.Blend(a, _sourceX.FirstWeight[x], b, _sourceX.SecondWeight[x], scratch.SourceColumn.AsSpan(firstRow, rowCount));

        int words = stretch.End - stretch.Start;
        Span<ulong> lower = scratch.LowerWords.AsSpan(0, words), middle = scratch.MiddleWords.AsSpan(0, words), upper = scratch.UpperWords.AsSpan(0, words);
        MaskKernels.Cut(scratch.SourceColumn, _sourceY, stretch.Start, scratch.Cutoffs, lower, middle, upper);
        int height = OutputSize.Height;
        int position = (x * height) + (64 * stretch.Start);
        ulong valid = ulong.MaxValue;
        for (int word = 0; word < words; word++, position += 64)
        {
            int left = height - (64 * (stretch.Start + word));
            if (left < 64) valid = ulong.MaxValue >> (64 - left);
            scratch.LowerArea += BitOperations.PopCount(lower[word] & valid);
            scratch.Area += BitOperations.PopCount(middle[word] & valid);
            scratch.UpperArea += BitOperations.PopCount(upper[word] & valid);
            scratch.AddWord(position, middle[word], valid);
        }
    }

    private (int First, int Count) ModelRowsOf(in Stretch stretch)
    {
        int first = _wordRows[stretch.Start].FirstModelRow;
        ref readonly WordRows last = ref _wordRows[stretch.End - 1];
        return (first, last.FirstModelRow + last.ModelRows - first);
    }

    // The rows of a model column that the mixed stretches need: made on first use, kept until another column takes the
    // slot or the stretches change. Neighbouring columns have different slots.
    private ReadOnlySpan<float> ModelColumn(int column, Scratch scratch)
    {
        ModelColumnSlot slot = scratch.ModelColumns[column & 1];
        if (slot.Column != column || slot.Division != scratch.Division)
        {
            slot.Column = column;
            slot.Division = scratch.Division;
            MaskKernels.Blend(scratch.LowColumn(_modelX.First[column])[.._lowRows], _modelX.FirstWeight[column],
                scratch.LowColumn(_modelX.Second[column])[.._lowRows], _modelX.SecondWeight[column], slot.LowColumn);
            foreach (ref readonly Stretch stretch in scratch.Stretches.AsSpan(0, scratch.StretchCount))
            {
                if (stretch.State != WordState.Mixed) continue;
                (int first, int count) = ModelRowsOf(stretch);
                MaskKernels.Interpolate(slot.LowColumn, _modelY, first, count, slot.Values);
            }
        }

        return slot.Values;
    }

    // Rows for UpscaleLogits: low row -> its width in the model frame; two of these -> model row -> source width.
    private ReadOnlySpan<float> SourceRow(ReadOnlySpan<float> lowRes, int modelRow, RowScratch rows)
    {
        int slot = modelRow & 1;
        if (rows.SourceRowOf[slot] != modelRow)
        {
            rows.SourceRowOf[slot] = modelRow;
            int width = InputSize.Width;
            ReadOnlySpan<float> a = WideRow(lowRes, _modelY.First[modelRow], rows);
            ReadOnlySpan<float> b = WideRow(lowRes, _modelY.Second[modelRow], rows);
            MaskKernels.Blend(a[..width], _modelY.FirstWeight[modelRow], b[..width], _modelY.SecondWeight[modelRow], rows.ModelRow);
            MaskKernels.Interpolate(rows.ModelRow, _sourceX, 0, _sourceX.First.Length, rows.SourceRows[slot]);
        }

        return rows.SourceRows[slot];
    }

    private ReadOnlySpan<float> WideRow(ReadOnlySpan<float> lowRes, int lowRow, RowScratch rows)
    {
        int slot = lowRow & 1;
        if (rows.WideRowOf[slot] != lowRow)
        {
            rows.WideRowOf[slot] = lowRow;
            lowRes.Slice(lowRow * _lowResSize, _lowResSize).CopyTo(rows.LowRow);
            MaskKernels.Interpolate(rows.LowRow, _modelX, 0, _modelX.First.Length, rows.WideRows[slot]);
        }

        return rows.WideRows[slot];
    }

    /// <summary>Which rows 64 pixels of a source column depend on.</summary>
    /// <param name="FirstLowRow">Of the low-resolution logits.</param>
    /// <param name="LastLowRow">Included.</param>
    /// <param name="FirstModelRow">A multiple of 16.</param>
    /// <param name="ModelRows">A multiple of 16.</param>
    private readonly record struct WordRows(int FirstLowRow, int LastLowRow, int FirstModelRow, int ModelRows);

    private struct Stretch
    {
        public int Start;
        public int End;
        public WordState State;
    }

    private sealed class ModelColumnSlot(MaskUpscaler owner)
    {
        public int Column = -1;
        public int Division;
        public readonly float[] LowColumn = new float[owner._lowResSize + MaskKernels.ReadAhead];
        public readonly float[] Values = new float[owner._modelY.First.Length + MaskKernels.ReadAhead];
    }

    private sealed class RowScratch(MaskUpscaler owner)
    {
        public readonly int[] WideRowOf = [-1, -1];
        public readonly int[] SourceRowOf = [-1, -1];
        public readonly float[] LowRow = new float[owner._lowResSize + MaskKernels.ReadAhead];
        public readonly float[][] WideRows = [new float[owner._modelX.First.Length], new float[owner._modelX.First.Length]];
        public readonly float[] ModelRow = new float[owner.InputSize.Width + MaskKernels.ReadAhead];
        public readonly float[][] SourceRows = [new float[owner._sourceX.First.Length], new float[owner._sourceX.First.Length]];

        public void Forget()
        {
            WideRowOf.AsSpan().Fill(-1);
            SourceRowOf.AsSpan().Fill(-1);
        }
    }

    private sealed class Scratch(MaskUpscaler owner)
    {
        public readonly int LowStride = owner._lowRows + MaskKernels.ReadAhead;
        public readonly int LowWords = (owner._lowRows + 63) / 64;
        public readonly float[] LowColumns = new float[owner._lowColumns * (owner._lowRows + MaskKernels.ReadAhead)];
        public readonly ulong[] Below = new ulong[owner._lowColumns * ((owner._lowRows + 63) / 64)];
        public readonly ulong[] Above = new ulong[owner._lowColumns * ((owner._lowRows + 63) / 64)];
        public readonly ulong[] ColumnBelow = new ulong[(owner._lowRows + 63) / 64];
        public readonly ulong[] ColumnAbove = new ulong[(owner._lowRows + 63) / 64];
        public readonly long[] Following = new long[owner.OutputSize.Width];
        public readonly Stretch[] Stretches = new Stretch[owner._words];
        public readonly ModelColumnSlot[] ModelColumns = [new(owner), new(owner)];
        public readonly float[] SourceColumn = new float[owner._modelY.First.Length + MaskKernels.ReadAhead];
        public readonly ulong[] LowerWords = new ulong[owner._words];
        public readonly ulong[] MiddleWords = new ulong[owner._words];
        public readonly ulong[] UpperWords = new ulong[owner._words];
        public RowScratch? Rows;
        public Cutoffs Cutoffs;

        // Counts the times that the column was divided anew.
        public int Division;
        public int StretchCount;
        public long LowerArea;
        public long Area;
        public long UpperArea;

        // Positions, in column-major order, where background and foreground change over; the first is to foreground.
        private int[] _changes = new int[1024];
        private int _changeCount;
        private int _start;

        // 1 where the last pixel so far is foreground. Before the first pixel there is background.
        private ulong _last;

        public bool EndsInForeground => _last != 0;

        public void Begin(in Cutoffs cutoffs, int start)
        {
            Cutoffs = cutoffs;
            LowerArea = Area = UpperArea = 0;
            _changeCount = 0;
            _start = start;
            _last = 0;
            foreach (ModelColumnSlot slot in ModelColumns) slot.Column = -1;
        }

        public ReadOnlySpan<float> LowColumn(int column) => LowColumns.AsSpan(column * LowStride, LowStride);

        public void AddStretch(int position, bool foreground)
        {
            if (_last == (foreground ? 1UL : 0UL)) return;
            _last ^= 1;
            if (_changeCount == _changes.Length) Array.Resize(ref _changes, 2 * _changes.Length);
            _changes[_changeCount++] = position;
        }

        // A set bit of changed is a pixel that differs from the one before.
        public void AddWord(int position, ulong bits, ulong valid)
        {
            ulong changed = (bits ^ ((bits << 1) | _last)) & valid;
            if (changed == 0) return;
            if (_changes.Length - _changeCount < 64 + RleKernels.ChangeSlack) Array.Resize(ref _changes, 2 * _changes.Length);
            int count = 0;
            RleKernels.WriteChanges(changed, position, ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_changes), _changeCount), ref count);
            _changeCount += count;
            _last ^= (ulong)count & 1;
        }

        /// <summary>How many changes there are where the pixel before the first is foreground or background.</summary>
        public int ChangesAfter(bool foreground) => !foreground ? _changeCount : StartsInForeground ? _changeCount - 1 : _changeCount + 1;

        /// <summary>Writes the length of the run that ends at each change.</summary>
        /// <param name="foreground">Whether the pixel before the first is foreground.</param>
        /// <param name="counts">Run lengths of the whole mask.</param>
        /// <param name="written">How many of them there are.</param>
        /// <param name="position">The last change.</param>
        public void WriteCounts(bool foreground, int[] counts, ref int written, ref int position)
        {
            ReadOnlySpan<int> changes = _changes.AsSpan(0, _changeCount);
            if (foreground && StartsInForeground)
            {
                changes = changes[1..];
            }
            else if (foreground)
            {
                counts[written++] = _start - position;
                position = _start;
            }

            RleKernels.WriteDifferences(changes, position, counts.AsSpan(written));
            written += changes.Length;
            if (!changes.IsEmpty) position = changes[^1];
        }

        private bool StartsInForeground => _changeCount > 0 && _changes[0] == _start;
    }
}
