using System.Collections.Concurrent;

namespace SegmentAnything.Kernels;

/// <content>Measures several masks by several threads.</content>
internal sealed partial class MaskUpscaler
{
    private readonly ConcurrentBag<SplitMeasurement> _idleSplits = [];

    /// <summary>As <see cref="Measure(ReadOnlySpan{float}, float, float)"/> for several masks, by several threads.</summary>
    /// <param name="lowResLogits">Masks x lowResSize x lowResSize values, row-major.</param>
    /// <param name="cutoff">Resized logits above this are mask.</param>
    /// <param name="stabilityOffset">How far below and above the cut-off pixels are counted too; not negative.</param>
    /// <param name="splitter">The threads.</param>
    /// <param name="measurements">One a mask is written.</param>
    /// <param name="cancellationToken">Looked at between masks.</param>
    /// <remarks>
    /// Each thread takes whole masks. Where there are too few for all threads to have enough to do, a mask is divided into
    /// parts of neighbouring columns, whose runs are joined by whoever measures its last part.
    /// </remarks>
    public unsafe void Measure(
        ReadOnlySpan<float> lowResLogits,
        float cutoff,
        float stabilityOffset,
        WorkSplitter splitter,
        Span<MaskMeasurement> measurements,
        CancellationToken cancellationToken)
    {
        if (lowResLogits.Length != measurements.Length * (long)_lowResSize * _lowResSize)
        {
            throw new ArgumentException(
                $"Expected {measurements.Length} x {_lowResSize} x {_lowResSize} logits, found {lowResLogits.Length}.", nameof(lowResLogits));
        }

        CheckOffset(stabilityOffset);
        SplitMeasurement split = _idleSplits.TryTake(out SplitMeasurement? idle) ? idle : new SplitMeasurement(this);
        fixed (float* logits = lowResLogits)
            split.Run(logits, Cutoffs.Around(cutoff, stabilityOffset), splitter, measurements, cancellationToken);
        _idleSplits.Add(split);
    }

    private sealed unsafe class SplitMeasurement(MaskUpscaler owner) : ISplitWork
    {
        /// <summary>Masks a thread from which on they are not divided.</summary>
        private const int EnoughMasks = 4;

        /// <summary>Parts of a divided mask, which differ in what they take.</summary>
        private const int PartsPerThread = 2;

        private float* _logits;
        private Cutoffs _cutoffs;
        private CancellationToken _cancellation;
        private int _partsPerMask;
        private Scratch[] _parts = [];
        private int[] _partsDone = [];
        private MaskMeasurement[] _results = [];

        public void Run(
            float* logits, in Cutoffs cutoffs, WorkSplitter splitter, Span<MaskMeasurement> measurements, CancellationToken cancellationToken)
        {
            int masks = measurements.Length;
            _partsPerMask = masks >= EnoughMasks * splitter.Threads ? 1 : Math.Min(PartsPerThread * splitter.Threads, owner.OutputSize.Width);
            if (_results.Length < masks) (_results, _partsDone) = (new MaskMeasurement[masks], new int[masks]);
            if (_parts.Length < masks * _partsPerMask) _parts = new Scratch[masks * _partsPerMask];
            _partsDone.AsSpan(0, masks).Clear();
            _logits = logits;
            (_cutoffs, _cancellation) = (cutoffs, cancellationToken);
            splitter.Run(this, masks * _partsPerMask);
            _results.AsSpan(0, masks).CopyTo(measurements);

            // An idle object must not keep masks alive.
            _results.AsSpan(0, masks).Clear();
            _cancellation = default;
        }

        public void Execute(int item, int worker)
        {
            _cancellation.ThrowIfCancellationRequested();
            (int mask, int part) = Math.DivRem(item, _partsPerMask);
            int values = owner._lowResSize * owner._lowResSize, width = owner.OutputSize.Width;
            Scratch scratch = owner.Rent();
            owner.TryMeasureColumns(new ReadOnlySpan<float>(_logits + (mask * (long)values), values), _cutoffs,
                (int)((long)width * part / _partsPerMask), (int)((long)width * (part + 1) / _partsPerMask), double.NegativeInfinity, scratch);
            _parts[item] = scratch;
            if (Interlocked.Increment(ref _partsDone[mask]) < _partsPerMask) return;

            Span<Scratch> parts = _parts.AsSpan(item - part, _partsPerMask);
            _results[mask] = owner.Join(parts);
            foreach (Scratch done in parts) owner._scratch.Add(done);
            parts.Clear();
        }
    }
}
