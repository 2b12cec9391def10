namespace SegmentAnything;

/// <summary>Counts the calls that are inside an object, so that disposing it waits for them and lets no further one in.</summary>
/// <remarks>
/// <code>
/// using UseGate.Use use = _gate.Enter(this);
/// </code>
/// </remarks>
internal sealed class UseGate
{
    private readonly object _lock = new();
    private int _uses;
    private bool _closed;

    /// <summary>The number of calls that are inside now.</summary>
    public int Uses
    {
        get
        {
            lock (_lock) return _uses;
        }
    }

    /// <summary>Enters, until the returned value is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The gate is closed.</exception>
    public Use Enter(object owner)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, owner);
            _uses++;
        }

        return new Use(this);
    }

    /// <summary>Lets nobody in any more and waits until all are out. Gives false where another call has done so.</summary>
    public bool Close()
    {
        lock (_lock)
        {
            if (_closed) return false;
            _closed = true;
            while (_uses > 0) Monitor.Wait(_lock);
            return true;
        }
    }

    private void Exit()
    {
        lock (_lock)
        {
            if (--_uses == 0) Monitor.PulseAll(_lock);
        }
    }

    /// <summary>One call that is inside.</summary>
    internal readonly struct Use(UseGate gate) : IDisposable
    {
        public void Dispose() => gate.Exit();
    }
}
