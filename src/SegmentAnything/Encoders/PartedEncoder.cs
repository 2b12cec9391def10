using System.Collections.Concurrent;
using SegmentAnything.Execution;
using SegmentAnything.Graphs;

namespace SegmentAnything.Encoders;

/// <summary>
/// Runs an image encoder on the processor part by part, each thread with pieces of its own and ONNX Runtime's operators on
/// that thread alone.
/// </summary>
/// <remarks>
/// ONNX Runtime divides every operator among its threads and joins them behind it, some four thousand times a picture; what
/// one thread computed is, in part, what another needs next, and where two cores share no cache that costs a third of the
/// time. Here threads meet once a part, and each goes on where it has been: the pieces of a thread lie side by side, in every
/// part in the same region of the picture (<see cref="WorkSplitter"/>).
/// Safe to use from several threads: each call has its buffers, and one at a time has the threads (<see cref="WorkSplitter"/>).
/// </remarks>
internal sealed class PartedEncoder : IDisposable
{
    // A thread needs the memory of one part at a time. An arena for each session would keep what each part has needed.
    private static readonly SessionTuning Tuning = SessionTuning.Default with { CpuArena = false, MemoryPattern = false };

    private readonly EncoderPart[] _parts;
    private readonly ModelSession[] _sessions;
    private readonly (string Name, long[] Shape)[] _inputs, _outputs;
    private readonly WorkSplitter _splitter;
    private readonly ConcurrentBag<Workspace> _idle = [];

    /// <summary>Loads the parts.</summary>
    /// <param name="parts">In their order.</param>
    /// <param name="threads">Threads to work with, the caller's included.</param>
    /// <param name="source">What they are of, for messages.</param>
    /// <param name="cancellationToken">Looked at between parts.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public PartedEncoder(IReadOnlyList<EncoderPart> parts, int threads, string source, CancellationToken cancellationToken = default)
    {
        // Without their files, which the sessions have read.
        _parts = [.. parts.Select(p => p with { Model = [] })];
        _sessions = new ModelSession[_parts.Length];
        try
        {
            // One thread a run: parts need no pool of threads.
            ExecutionOptions options = ExecutionOptions.For(new CpuProvider(1));
            for (int i = 0; i < _parts.Length; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                _sessions[i] = SessionFactory.Create(parts[i].Model, source, options, Tuning);
            }
        }
        catch
        {
            foreach (ModelSession? session in _sessions) session?.Dispose();
            throw;
        }

        _inputs = [.. _sessions.Select(s => Only(s.Inputs))];
        _outputs = [.. _sessions.Select(s => Only(s.Outputs))];
        _splitter = new WorkSplitter(threads);

        static (string, long[]) Only(IReadOnlyDictionary<string, TensorContract> values)
        {
            (string name, TensorContract contract) = values.Single();
            return (name, [.. contract.Dimensions.Select(d => (long)d)]);
        }
    }

    /// <summary>Computes the embedding of a picture.</summary>
    /// <param name="image">Three square planes, normalised.</param>
    /// <param name="embedding">Channels x grid x grid values are written.</param>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled; the embedding's contents are undefined.</exception>
    public unsafe void Run(ReadOnlySpan<float> image, Span<float> embedding, CancellationToken cancellationToken)
    {
        (EncoderPart first, EncoderPart last) = (_parts[0], _parts[^1]);
        ArgumentOutOfRangeException.ThrowIfNotEqual(image.Length, 3 * first.SourceGrid * first.SourceGrid, nameof(image));
        ArgumentOutOfRangeException.ThrowIfNotEqual(embedding.Length, last.ResultChannels * last.ResultGrid * last.ResultGrid, nameof(embedding));
        Workspace workspace = _idle.TryTake(out Workspace? idle) ? idle : new Workspace(this);
        try
        {
            fixed (float* source = image, destination = embedding) workspace.Run(source, destination, cancellationToken);
        }
        finally
        {
            // Also after a failure: whatever is in the buffers is written anew.
            _idle.Add(workspace);
        }
    }

    /// <summary>Releases everything. No call may be in progress.</summary>
    public void Dispose()
    {
        _splitter.Dispose();
        foreach (Workspace workspace in _idle) workspace.Dispose();
        foreach (ModelSession session in _sessions) session.Dispose();
    }

    /// <summary>What one picture at a time needs: the rows between parts, and room for the pieces of each thread.</summary>
    private sealed unsafe class Workspace : ISplitWork, IDisposable
    {
        private readonly PartedEncoder _owner;
        private readonly List<NativeFloats> _allocated = [];

        // What a part reads and what it gives, with a row of zeros above and below: parts take turns with two blocks.
        private readonly float*[] _blocks = new float*[2];

        // A thread's piece, where it does not lie in the picture as the part needs it.
        private readonly float*[] _sourcePieces, _resultPieces;

        private float* _image;
        private float* _embedding;
        private CancellationToken _cancellation;
        private int _part;

        public Workspace(PartedEncoder owner)
        {
            _owner = owner;
            int threads = owner._splitter.Threads;
            for (int i = 0; i < _blocks.Length; i++)
                _blocks[i] = Allocate(owner._parts.SkipLast(1).Where((_, part) => part % 2 == i).Select(PictureValues).DefaultIfEmpty().Max());
            _sourcePieces = new float*[threads];
            _resultPieces = new float*[threads];
            for (int t = 0; t < threads; t++)
            {
                _sourcePieces[t] = Allocate(owner._parts.Max(SourceValues));
                _resultPieces[t] = Allocate(owner._parts.Max(ResultValues));
            }
        }

        public void Run(float* image, float* embedding, CancellationToken cancellationToken)
        {
            _image = image;
            _embedding = embedding;
            _cancellation = cancellationToken;
            try
            {
                for (_part = 0; _part < _owner._parts.Length; _part++)
                {
                    EncoderPart part = _owner._parts[_part];
                    if (_part < _owner._parts.Length - 1) ClearEdges(part);
                    _owner._splitter.Run(this, part.Pieces);
                }
            }
            finally
            {
                _cancellation = default;
            }
        }

        public void Execute(int item, int worker)
        {
            _cancellation.ThrowIfCancellationRequested();
            EncoderPart part = _owner._parts[_part];
            float* source = _sourcePieces[worker], result = _resultPieces[worker];
            switch (part.Kind)
            {
                case EncoderPartKind.Image:
                    ComputeImage(part, item, source, result);
                    break;
                case EncoderPartKind.Windows:
                    CopyWindows(part, item, source, toPiece: true);
                    Compute(part, source, result);
                    CopyWindows(part, item, result, toPiece: false);
                    break;
                case EncoderPartKind.Strips:
                    Compute(part, RowAbove(part, item), Row(Result, part.ResultGrid, part.ResultChannels, item * part.Rows));
                    break;
                default:
                    Compute(part, RowAbove(part, item), result);
                    int values = part.Rows * part.ResultGrid, plane = part.ResultGrid * part.ResultGrid;
                    for (int c = 0; c < part.ResultChannels; c++)
                        new ReadOnlySpan<float>(result + (c * values), values).CopyTo(new Span<float>(_embedding + (c * plane) + (item * values), values));
                    break;
            }
        }

        public void Dispose()
        {
            foreach (NativeFloats memory in _allocated) memory.Dispose();
        }

        private float* Source => _blocks[(_part + 1) % 2];

        private float* Result => _blocks[_part % 2];

        // Other parts have written where this one's rows of zeros are.
        private void ClearEdges(EncoderPart part)
        {
            int row = part.ResultGrid * part.ResultChannels;
            new Span<float>(Result, row).Clear();
            new Span<float>(Result + PictureValues(part) - row, row).Clear();
        }

        private static int PictureValues(EncoderPart part) => (part.ResultGrid + 2) * part.ResultGrid * part.ResultChannels;

        private static int SourceValues(EncoderPart part) => part.Kind switch
        {
            EncoderPartKind.Image => 3 * PixelRows(part) * part.SourceGrid,
            EncoderPartKind.Windows => part.Windows * part.Window * part.Window * part.SourceChannels,
            _ => part.SourceRows * part.SourceGrid * part.SourceChannels,
        };

        private static int ResultValues(EncoderPart part) => part.ResultChannels * part.Kind switch
        {
            EncoderPartKind.Image => part.ComputedRows * part.ResultGrid,
            EncoderPartKind.Windows => part.Windows * part.Window * part.Window,
            _ => part.Rows * part.ResultGrid,
        };

        private static int PixelRows(EncoderPart part) => part.ComputedRows * (part.SourceGrid / part.ResultGrid);

        private void ComputeImage(EncoderPart part, int piece, float* source, float* result)
        {
            int start = piece * part.Rows, from = Math.Clamp(start - part.WrongAbove, 0, part.ResultGrid - part.ComputedRows);
            int pixels = part.SourceGrid / part.ResultGrid, values = PixelRows(part) * part.SourceGrid, plane = part.SourceGrid * part.SourceGrid;
            for (int c = 0; c < 3; c++)
                new ReadOnlySpan<float>(_image + (c * plane) + (from * pixels * part.SourceGrid), values).CopyTo(new Span<float>(source + (c * values), values));
            Compute(part, source, result);
            int row = part.ResultGrid * part.ResultChannels;
            new ReadOnlySpan<float>(result + ((start - from) * row), part.Rows * row)
                .CopyTo(new Span<float>(Row(Result, part.ResultGrid, part.ResultChannels, start), part.Rows * row));
        }

        // From the picture to a piece, zeros where a window reaches beyond; or back, without these.
        private void CopyWindows(EncoderPart part, int piece, float* memory, bool toPiece)
        {
            int grid = part.SourceGrid, channels = part.SourceChannels, window = part.Window, across = part.WindowsAcross;
            float* picture = toPiece ? Source : Result;
            for (int i = 0; i < part.Windows; i++)
            {
                // The last piece may have places for more windows than there are.
                int index = (piece * part.Windows) + i;
                (int top, int left) = (index / across * window, index % across * window);
                int inside = Math.Min(window, grid - left) * channels, row = window * channels;
                for (int y = 0; y < window; y++, memory += row)
                {
                    Span<float> own = new(memory, row);
                    if (top + y >= grid)
                    {
                        if (toPiece) own.Clear();
                        continue;
                    }

                    Span<float> there = new(Row(picture, grid, channels, top + y) + (left * channels), inside);
                    if (toPiece)
                    {
                        there.CopyTo(own);
                        own[inside..].Clear();
                    }
                    else
                    {
                        own[..inside].CopyTo(there);
                    }
                }
            }
        }

        // The rows of a strip begin one above it.
        private float* RowAbove(EncoderPart part, int piece) =>
            Row(Source, part.SourceGrid, part.SourceChannels, (part.Stride * piece * part.Rows) - 1);

        private static float* Row(float* picture, int grid, int channels, int row) => picture + ((row + 1) * grid * channels);

        private void Compute(EncoderPart part, float* source, float* result)
        {
            ModelSession session = _owner._sessions[_part];
            ((string inputName, long[] inputShape), (string outputName, long[] outputShape)) = (_owner._inputs[_part], _owner._outputs[_part]);
            session.Run(inputName, inputShape, source, outputName, outputShape, result);
        }

        private float* Allocate(int values)
        {
            NativeFloats memory = new(values);
            _allocated.Add(memory);
            return memory.Pointer;
        }
    }
}
