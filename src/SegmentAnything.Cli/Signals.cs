using System.Runtime.InteropServices;

namespace SegmentAnything.Cli;

/// <summary>
/// What the system asks of the process: the work is cancelled, ends tidily, and the process's status says which signal it was, as
/// shells expect: 128 and its number.
/// </summary>
internal sealed class Signals : IDisposable
{
    // What cannot be interrupted, such as the loading of a large network, is not waited for longer.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _cancellation = new();
    private readonly PosixSignalRegistration[] _registrations;
    private Timer? _timer;

    public Signals() => _registrations =
        [.. ((PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT]).Select(signal => PosixSignalRegistration.Create(signal, Receive))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Cancellation => _cancellation.Token;

    /// <summary>The first signal; null where there was none.</summary>
    public PosixSignal? Received { get; private set; }

    /// <summary>What the process ends with; null where there was no signal.</summary>
    public int? ExitStatus => Received is { } signal ? StatusOf(signal) : null;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
        _timer?.Dispose();
        _cancellation.Dispose();
    }

    // Source: POSIX, signal.h; 128 and more is what shells give for a process that a signal ended.
    private static int StatusOf(PosixSignal signal) => 128 + signal switch
    {
        PosixSignal.SIGHUP => 1,
        PosixSignal.SIGINT => 2,
        PosixSignal.SIGQUIT => 3,
        _ => 15,
    };

    private void Receive(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Received is not null) Environment.Exit(StatusOf(context.Signal)); // asked twice
        Received = context.Signal;
        _timer = new Timer(_ => Environment.Exit(StatusOf(context.Signal)), null, Patience, Timeout.InfiniteTimeSpan);
        _cancellation.Cancel();
    }
}
