using System.Numerics;
using SegmentAnything.Kernels;
using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>Measures neighbouring columns of a mask, by one thread, and keeps all the memory that this takes for the next.</summary>
/// <remarks>
/// Work goes by source columns, as runs do, so that the bits of a column come out in the order of the runs:
/// <code>
///   low column pair  --blend--&gt;  low column at model x  --interpolate along y--&gt;  model column      (each once)
///   model column pair  --blend--&gt;  column at source x  --interpolate along y, cut--&gt;  64 bits at a time
/// </code>
/// </remarks>
internal sealed class ColumnMeasurer
{
    private readonly ResizePlan _plan;
    private readonly LogitColumns _logits;
    private readonly ColumnDivision _division;
    private readonly long[] _following;
    private readonly ModelColumn[] _modelColumns;
    private readonly float[] _sourceColumn;
    private readonly ulong[] _lowerWords, _middleWords, _upperWords;
    private Cutoffs _cutoffs;

    public ColumnMeasurer(ResizePlan plan)
    {
        _plan = plan;
        _logits = new LogitColumns(plan);
        _division = new ColumnDivision(plan, _logits);
        _following = new long[plan.OutputSize.Width];
        _modelColumns = [new(plan), new(plan)];
        _sourceColumn = new float[plan.ModelY.First.Length + MaskKernels.ReadAhead];
        int words = plan.WordRows.Length;
        (_lowerWords, _middleWords, _upperWords) = (new ulong[words], new ulong[words], new ulong[words]);
        Runs = new RunWriter(plan.OutputSize.Height);
    }

    /// <summary>The pixels above the cut-off, column by column.</summary>
    public RunWriter Runs { get; }

    /// <summary>How many pixels are above the lower cut-off.</summary>
    public long LowerArea { get; private set; }

    /// <summary>How many pixels are above the cut-off.</summary>
    public long Area { get; private set; }

    /// <summary>How many pixels are above the upper cut-off.</summary>
    public long UpperArea { get; private set; }

    /// <summary>Measures the columns from one to another.</summary>
    /// <param name="lowRes">All logits, row-major.</param>
    /// <param name="cutoffs">Three cut-offs.</param>
    /// <param name="first">The first column.</param>
    /// <param name="end">One behind the last.</param>
    /// <param name="giveUpBelow">The stability score below which a mask is not wanted; 0 or less to measure it whatever it is.</param>
    /// <returns>False, and not all measured, where the columns so far prove that the score will be below that limit.</returns>
    public bool TryMeasure(ReadOnlySpan<float> lowRes, in Cutoffs cutoffs, int first, int end, double giveUpBelow)
    {
        bool mayGiveUp = giveUpBelow > 0;
        _cutoffs = cutoffs;
        LowerArea = Area = UpperArea = 0;
        Runs.Clear();
        foreach (ModelColumn column in _modelColumns) column.X = -1;
        _logits.Read(lowRes, _plan.LowColumnsOf(first).First, _plan.LowColumnsOf(end - 1).Last, cutoffs);
        if (mayGiveUp) BoundWhatFollows(first, end);
        (int First, int Last) columns = (-1, -1);
        for (int x = first; x < end; x++)
        {
            if (columns != _plan.LowColumnsOf(x))
            {
                // At best, all that may follow is above every cut-off.
                if (mayGiveUp && UpperArea + _following[x] < giveUpBelow * (LowerArea + _following[x])) return false;
                columns = _plan.LowColumnsOf(x);
                _division.Divide(columns.First, columns.Last);
            }

            MeasureColumn(x);
        }

        return true;
    }

    // For each column, at most how many pixels of it and of those behind it are above the lowest cut-off.
    private void BoundWhatFollows(int first, int end)
    {
        (int First, int Last) columns = (-1, -1);
        long following = 0, inColumn = 0;
        for (int x = end - 1; x >= first; x--)
        {
            if (columns != _plan.LowColumnsOf(x))
            {
                columns = _plan.LowColumnsOf(x);
                inColumn = _division.MostAbove(columns.First, columns.Last);
            }

            _following[x] = following += inColumn;
        }
    }

    private void MeasureColumn(int x)
    {
        foreach (ref readonly Stretch stretch in _division.Stretches)
        {
            if (stretch.State == WordState.Mixed)
            {
                MeasureStretch(x, stretch);
                continue;
            }

            bool foreground = stretch.State == WordState.Above;
            int pixels = Math.Min(64 * stretch.End, _plan.OutputSize.Height) - (64 * stretch.Start);
            Runs.WriteRun(foreground, pixels);
            if (foreground)
            {
                LowerArea += pixels;
                Area += pixels;
                UpperArea += pixels;
            }
        }
    }

    private void MeasureStretch(int x, in Stretch stretch)
    {
        InterpolationAxis sourceX = _plan.SourceX;
        (int firstRow, int rowCount) = _plan.ModelRowsOf(stretch.Start, stretch.End);
        ReadOnlySpan<float> a = ModelColumnAt(sourceX.First[x]).Slice(firstRow, rowCount);
        ReadOnlySpan<float> b = ModelColumnAt(sourceX.Second[x]).Slice(firstRow, rowCount);
        MaskKernels.Blend(a, sourceX.FirstWeight[x], b, sourceX.SecondWeight[x], _sourceColumn.AsSpan(firstRow, rowCount));

        int words = stretch.End - stretch.Start;
        Span<ulong> lower = _lowerWords.AsSpan(0, words), middle = _middleWords.AsSpan(0, words), upper = _upperWords.AsSpan(0, words);
        MaskKernels.Cut(_sourceColumn, _plan.SourceY, stretch.Start, _cutoffs, lower, middle, upper);
        long lowerArea = 0, area = 0, upperArea = 0;
        int left = _plan.OutputSize.Height - (64 * stretch.Start);
        for (int word = 0; word < words; word++, left -= 64)
        {
            int pixels = Math.Min(left, 64);
            ulong valid = ulong.MaxValue >> (64 - pixels);
            lowerArea += BitOperations.PopCount(lower[word] & valid);
            area += BitOperations.PopCount(middle[word] & valid);
            upperArea += BitOperations.PopCount(upper[word] & valid);
            Runs.WritePixels(middle[word], pixels);
        }

        LowerArea += lowerArea;
        Area += area;
        UpperArea += upperArea;
    }

    // The rows of a model column that the mixed stretches need: made on first use, kept until another column takes the
    // place or the stretches change. Neighbouring columns have different places.
    private ReadOnlySpan<float> ModelColumnAt(int x)
    {
        ModelColumn column = _modelColumns[x & 1];
        if (column.X != x || column.Division != _division.Version)
        {
            column.X = x;
            column.Division = _division.Version;
            InterpolationAxis modelX = _plan.ModelX;
            MaskKernels.Blend(_logits[modelX.First[x]][.._plan.LowRows], modelX.FirstWeight[x],
                _logits[modelX.Second[x]][.._plan.LowRows], modelX.SecondWeight[x], column.LowValues);
            foreach (ref readonly Stretch stretch in _division.Stretches)
            {
                if (stretch.State != WordState.Mixed) continue;
                (int first, int count) = _plan.ModelRowsOf(stretch.Start, stretch.End);
                MaskKernels.Interpolate(column.LowValues, _plan.ModelY, first, count, column.Values);
            }
        }

        return column.Values;
    }

    // A column of the model frame, at low resolution and at the model's.
    private sealed class ModelColumn(ResizePlan plan)
    {
        public readonly float[] LowValues = new float[plan.LowResSize + MaskKernels.ReadAhead];
        public readonly float[] Values = new float[plan.ModelY.First.Length + MaskKernels.ReadAhead];
        public int X = -1;
        public int Division;
    }
}
