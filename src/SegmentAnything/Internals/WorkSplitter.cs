using System.Runtime.ExceptionServices;

namespace SegmentAnything;

/// <summary>Work that consists of independent items.</summary>
internal interface ISplitWork
{
    /// <summary>Does one item.</summary>
    /// <param name="item">Its index.</param>
    /// <param name="worker">Index of the thread that does it: no two at a time have the same, so it may pick scratch memory.</param>
    void Execute(int item, int worker);
}

/// <summary>
/// Splits work over a few threads that stay: the caller is one of them. The decoder has a dozen short phases a prompt, so
/// handing over must take microseconds and allocate nothing. The threads start with the first work that there is for them.
/// </summary>
/// <remarks>
/// Items lie side by side: each thread begins with its own share of them, in every phase the same, and so finds in its cache
/// what it left there. Who has done with its own takes what others have left.
/// Safe to call from several threads. One call at a time has the threads; another that comes meanwhile, also one from
/// inside of the work, does its items alone: no call ever waits for another, so none can block another for ever.
/// </remarks>
internal sealed class WorkSplitter : IDisposable
{
    /// <summary>How long a thread looks for the next phase before it goes to sleep.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMicroseconds(100);

    /// <summary>Counters of different threads are as far apart as two lines of the cache.</summary>
    private const int Apart = 32;

    private readonly object _signal = new();
    private readonly int _helpers;

    // The next of each thread's own items.
    private readonly int[] _next;
    private ISplitWork? _work;
    private ExceptionDispatchInfo? _failure;
    private int _busy;
    private int _items;
    private int _running;
    private int _round;
    private int _sleeping;
    private bool _started;
    private bool _stopped;

    /// <summary>Makes a splitter; no thread starts yet.</summary>
    /// <param name="threads">Threads to work with, the caller's included; at least one.</param>
    public WorkSplitter(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _helpers = threads - 1;
        _next = new int[(threads + 1) * Apart];
    }

    /// <summary>Threads there are, the caller's included.</summary>
    public int Threads => _helpers + 1;

    /// <summary>Does all items and returns when the last is done.</summary>
    /// <exception cref="Exception">The first that an item threw; items not yet begun are then left out.</exception>
    public void Run(ISplitWork work, int items)
    {
        if (_helpers == 0 || items <= 1 || Interlocked.CompareExchange(ref _busy, 1, 0) != 0)
        {
            for (int item = 0; item < items; item++) work.Execute(item, 0);
            return;
        }

        try
        {
            ObjectDisposedException.ThrowIf(_stopped, this);
            if (!_started) Start();
            _work = work;
            _items = items;
            for (int worker = 0; worker < Threads; worker++) Next(worker) = FirstItem(worker);
            _failure = null;
            _running = _helpers;
            lock (_signal)
            {
                Volatile.Write(ref _round, _round + 1);
                if (_sleeping > 0) Monitor.PulseAll(_signal);
            }

            DoItems(work, 0);
            SpinWait spin = default;
            while (Volatile.Read(ref _running) > 0) spin.SpinOnce(sleep1Threshold: -1);
            _work = null;
            _failure?.Throw();
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    /// <summary>
    /// Does items that take a millisecond or more each by the caller and threads of the pool, for work that has no splitter of
    /// its own: nothing stays behind, and calls from several threads share the pool.
    /// </summary>
    /// <param name="threads">Threads to work with at most, the caller's included.</param>
    /// <param name="items">How many items there are.</param>
    /// <param name="execute">Does the item of an index.</param>
    /// <param name="cancellationToken">Looked at between items.</param>
    /// <exception cref="AggregateException">Items threw, on several threads.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static void RunOnPool(int threads, int items, Action<int> execute, CancellationToken cancellationToken = default)
    {
        if (threads > 1 && items > 1)
        {
            Parallel.For(0, items, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellationToken }, execute);
            return;
        }

        for (int item = 0; item < items; item++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            execute(item);
        }
    }

    /// <summary>Ends the threads. No call may be in progress.</summary>
    public void Dispose()
    {
        lock (_signal)
        {
            _stopped = true;
            Monitor.PulseAll(_signal);
        }
    }

    private void Start()
    {
        for (int worker = 1; worker <= _helpers; worker++)
            new Thread(Help) { IsBackground = true, Name = $"SegmentAnything worker {worker}" }.Start(worker);
        _started = true;
    }

    private void Help(object? index)
    {
        int worker = (int)index!;
        int round = 0;
        while (AwaitRound(round))
        {
            round++;
            DoItems(_work!, worker);
            Interlocked.Decrement(ref _running);
        }
    }

    // True when the next round has begun, false at the end.
    private bool AwaitRound(int seen)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (Volatile.Read(ref _round) == seen)
        {
            if (TimeProvider.System.GetElapsedTime(start) < Patience)
            {
                Thread.SpinWait(20);
                continue;
            }

            lock (_signal)
            {
                _sleeping++;
                while (_round == seen && !_stopped) Monitor.Wait(_signal);
                _sleeping--;
                if (_round == seen) return false;
            }
        }

        return true;
    }

    private void DoItems(ISplitWork work, int worker)
    {
        try
        {
            for (int i = 0; i < Threads; i++)
            {
                int owner = (worker + i) % Threads, end = FirstItem(owner + 1);
                for (int item; (item = Interlocked.Increment(ref Next(owner)) - 1) < end;) work.Execute(item, worker);
            }
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            for (int owner = 0; owner < Threads; owner++) Volatile.Write(ref Next(owner), _items);
        }
    }

    private ref int Next(int worker) => ref _next[(worker + 1) * Apart];

    private int FirstItem(int worker) => (int)((long)_items * worker / Threads);
}
