using System.Collections.Concurrent;
using SegmentAnything.Kernels;
using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>The measurement of several masks by several threads, in items of a mask or of a part of one.</summary>
/// <param name="plan">What all masks have in common.</param>
/// <param name="measurers">Where idle ones are taken from and put back.</param>
internal sealed unsafe class SplitMeasurement(ResizePlan plan, ConcurrentBag<ColumnMeasurer> measurers) : ISplitWork
{
    /// <summary>Masks a thread from which on they are not divided.</summary>
    private const int EnoughMasks = 4;

    /// <summary>Parts of a divided mask, which differ in what they take.</summary>
    private const int PartsPerThread = 2;

    private float* _logits;
    private Cutoffs _cutoffs;
    private CancellationToken _cancellation;
    private int _partsPerMask;
    private ColumnMeasurer[] _parts = [];
    private RunWriter[] _runs = [];
    private int[] _partsDone = [];
    private MaskMeasurement[] _results = [];

    /// <summary>Measures all masks and returns when the last is done.</summary>
    public void Run(
        float* logits, in Cutoffs cutoffs, WorkSplitter splitter, Span<MaskMeasurement> measurements, CancellationToken cancellationToken)
    {
        int masks = measurements.Length;
        _partsPerMask = masks >= EnoughMasks * splitter.Threads ? 1 : Math.Min(PartsPerThread * splitter.Threads, plan.OutputSize.Width);
        if (_results.Length < masks) (_results, _partsDone) = (new MaskMeasurement[masks], new int[masks]);
        if (_parts.Length < masks * _partsPerMask)
        {
            _parts = new ColumnMeasurer[masks * _partsPerMask];
            _runs = new RunWriter[_parts.Length];
        }

        _partsDone.AsSpan(0, masks).Clear();
        _logits = logits;
        (_cutoffs, _cancellation) = (cutoffs, cancellationToken);
        splitter.Run(this, masks * _partsPerMask);
        _results.AsSpan(0, masks).CopyTo(measurements);

        // An idle object must not keep masks alive.
        _results.AsSpan(0, masks).Clear();
        _cancellation = default;
    }

    /// <inheritdoc/>
    public void Execute(int item, int worker)
    {
        _cancellation.ThrowIfCancellationRequested();
        (int mask, int part) = Math.DivRem(item, _partsPerMask);
        int values = plan.LowResSize * plan.LowResSize, width = plan.OutputSize.Width;
        ColumnMeasurer measurer = measurers.TryTake(out ColumnMeasurer? idle) ? idle : new ColumnMeasurer(plan);
        measurer.TryMeasure(new ReadOnlySpan<float>(_logits + (mask * (long)values), values), _cutoffs,
            (int)((long)width * part / _partsPerMask), (int)((long)width * (part + 1) / _partsPerMask), double.NegativeInfinity);
        _parts[item] = measurer;
        _runs[item] = measurer.Runs;
        if (Interlocked.Increment(ref _partsDone[mask]) < _partsPerMask) return;

        Span<ColumnMeasurer> parts = _parts.AsSpan(item - part, _partsPerMask);
        _results[mask] = Join(parts, _runs.AsSpan(item - part, _partsPerMask));
        foreach (ColumnMeasurer done in parts) measurers.Add(done);
        parts.Clear();
    }

    // The whole mask from its parts, which lie side by side in their order.
    private static MaskMeasurement Join(ReadOnlySpan<ColumnMeasurer> parts, ReadOnlySpan<RunWriter> runs)
    {
        long lower = 0, middle = 0, upper = 0;
        foreach (ColumnMeasurer part in parts)
        {
            lower += part.LowerArea;
            middle += part.Area;
            upper += part.UpperArea;
        }

        return new MaskMeasurement(RunWriter.Join(runs), lower, middle, upper);
    }
}
