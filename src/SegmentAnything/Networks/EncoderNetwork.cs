using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace SegmentAnything.Networks;

/// <summary>An image encoder in our own kernels: phases that threads do one after the other, each in items.</summary>
/// <remarks>
/// Safe to use from several threads: each call has its own memory, and one at a time has the helping threads
/// (<see cref="WorkSplitter"/>). In steady state a call allocates next to no managed memory. A result does not depend on which thread
/// did what.
/// </remarks>
internal sealed unsafe class EncoderNetwork : IDisposable
{
    private readonly NetworkWeights _weights;
    private readonly ConcurrentBag<NetworkRun> _idle = [];

    /// <summary>Makes a network of its phases.</summary>
    /// <param name="weights">What they read; the network owns it.</param>
    /// <param name="plan">Where their pictures are.</param>
    /// <param name="phases">In their order.</param>
    /// <param name="inputLength">Floats of an image: three square planes.</param>
    /// <param name="outputs">Floats of each map that comes out.</param>
    public EncoderNetwork(NetworkWeights weights, PicturePlan plan, ImmutableArray<NetworkPhase> phases, int inputLength, params ImmutableArray<int> outputs)
    {
        _weights = weights;
        Phases = phases;
        InputLength = inputLength;
        Outputs = outputs;
        PicturesLength = plan.Length;
        ScratchLength = phases.Max(p => p.ScratchLength);
        ZerosLength = phases.Max(p => p.Zeros);
    }

    /// <summary>In their order.</summary>
    public ImmutableArray<NetworkPhase> Phases { get; }

    /// <summary>Floats of an image.</summary>
    public int InputLength { get; }

    /// <summary>Floats of each map.</summary>
    public ImmutableArray<int> Outputs { get; }

    /// <summary>Floats that the pictures between phases need.</summary>
    public long PicturesLength { get; }

    /// <summary>Floats that a thread needs beside.</summary>
    public long ScratchLength { get; }

    /// <summary>Floats of zeros.</summary>
    public int ZerosLength { get; }

    /// <summary>Bytes of weights.</summary>
    public long WeightBytes => _weights.Bytes;

    /// <summary>The kernels.</summary>
    public TileOperations Operations => _weights.Operations;

    /// <summary>See <see cref="NetworkWeights.Gelu"/>.</summary>
    public float* Gelu => _weights.Gelu;

    /// <summary>Computes the maps of an image.</summary>
    /// <param name="image">Three square planes, normalised.</param>
    /// <param name="maps">Receives all maps, one after the other.</param>
    /// <param name="splitter">The threads.</param>
    /// <param name="cancellationToken">Looked at between items.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled; what is in the maps is undefined.</exception>
    public void Run(ReadOnlySpan<float> image, Span<float> maps, WorkSplitter splitter, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(image.Length, InputLength, nameof(image));
        ArgumentOutOfRangeException.ThrowIfNotEqual(maps.Length, Outputs.Sum(), nameof(maps));
        NetworkRun run = _idle.TryTake(out NetworkRun? idle) ? idle : new NetworkRun(this);
        try
        {
            fixed (float* source = image, destination = maps) run.Run(source, destination, splitter, cancellationToken);
        }
        finally
        {
            // Also after a failure: whatever is in its memory is written anew.
            _idle.Add(run);
        }
    }

    /// <summary>Releases everything. No call may be in progress.</summary>
    public void Dispose()
    {
        foreach (NetworkRun run in _idle) run.Dispose();
        _weights.Dispose();
    }
}

/// <summary>One image on its way through a network, with all the memory that this needs.</summary>
internal sealed unsafe class NetworkRun(EncoderNetwork network) : ISplitWork, IDisposable
{
    private readonly NativeFloats _pictures = new(network.PicturesLength);
    private readonly NativeFloats _zeros = Cleared(network.ZerosLength);
    private NativeFloats _scratch = new(0);
    private int _phase;
    private CancellationToken _cancellation;
    private float* _maps;

    /// <summary>The kernels.</summary>
    public TileOperations Operations => network.Operations;

    /// <summary>See <see cref="NetworkWeights.Gelu"/>.</summary>
    public float* Gelu => network.Gelu;

    /// <summary>The image: three square planes.</summary>
    public float* Image { get; private set; }

    /// <summary>Zeros, as many as any phase reads.</summary>
    public float* Zeros => _zeros.Pointer;

    /// <summary>Where a picture is.</summary>
    public float* At(Picture picture) => _pictures.Pointer + picture.Offset;

    /// <summary>Where a row of a picture is; zeros where it has no such row.</summary>
    public float* Row(Picture picture, int y) => (uint)y < (uint)picture.Height ? At(picture) + (y * picture.RowStride) : Zeros;

    /// <summary>Where a map that comes out begins.</summary>
    public float* Map(int index)
    {
        float* map = _maps;
        for (int i = 0; i < index; i++) map += network.Outputs[i];
        return map;
    }

    /// <summary>Does all phases.</summary>
    /// <param name="image">Three square planes.</param>
    /// <param name="maps">Receives all maps.</param>
    /// <param name="splitter">The threads.</param>
    /// <param name="cancellationToken">Looked at between items.</param>
    /// <param name="ended">Told when a phase has ended, for measurements.</param>
    public void Run(float* image, float* maps, WorkSplitter splitter, CancellationToken cancellationToken, Action<int>? ended = null)
    {
        if (_scratch.Length < splitter.Threads * network.ScratchLength)
        {
            _scratch.Dispose();
            _scratch = new NativeFloats(splitter.Threads * network.ScratchLength);
        }

        Image = image;
        _maps = maps;
        _cancellation = cancellationToken;
        try
        {
            for (_phase = 0; _phase < network.Phases.Length; _phase++)
            {
                splitter.Run(this, network.Phases[_phase].Items);
                ended?.Invoke(_phase);
            }
        }
        finally
        {
            Image = _maps = null;
            _cancellation = default;
        }
    }

    void ISplitWork.Execute(int item, int worker)
    {
        _cancellation.ThrowIfCancellationRequested();
        network.Phases[_phase].Execute(this, item, _scratch.Pointer + (worker * network.ScratchLength));
    }

    public void Dispose()
    {
        _pictures.Dispose();
        _zeros.Dispose();
        _scratch.Dispose();
    }

    private static NativeFloats Cleared(int length)
    {
        NativeFloats zeros = new(length);
        new Span<float>(zeros.Pointer, length).Clear();
        return zeros;
    }
}
