using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using SegmentAnything.Execution;

namespace SegmentAnything.Tests.Execution;

public class ModelSessionTests
{
    // Long enough for any machine to do what should happen, short enough to notice what should not.
    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan AWhile = TimeSpan.FromMilliseconds(300);

    private sealed record OneAtATimeProvider(int Device) : ExecutionProvider
    {
        public override string Name => "OneAtATime";

        public override bool RunsOneAtATime => true;

        public override void Configure(SessionOptions options) => options.IntraOpNumThreads = 1;
    }

    [Fact]
    public void Tensors_AreDescribedByNameTypeAndDimensions()
    {
        using ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine");
        TensorContract x = Assert.Single(session.Inputs).Value;
        Assert.Equal(("x", TensorElementType.Float), (x.Name, x.ElementType));
        Assert.Equal([TensorContract.Any, 3], x.Dimensions);
        Assert.Equal("y", Assert.Single(session.Outputs).Key);
    }

    [Fact]
    public void Run_EightThreads_EveryAnswerIsItsOwn()
    {
        using ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine");
        Parallel.For(0, 4000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
            Assert.Equal([(2 * i) + 1, (2 * i) + 3, (2 * i) + 5], TinyGraphs.RunAffine(session, [i, i + 1, i + 2])));
        Assert.Equal(0, session.RunsUnderWay);
    }

    [Fact]
    public void Run_WrongName_OrWrongShape_Throws_AndTheSessionLivesOn()
    {
        using ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine");
        using OrtValue good = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        using OrtValue wrong = OrtValue.CreateTensorValueFromMemory(new float[4], [1, 4]);
        Assert.Throws<ModelContractException>(() => session.Run([("z", good)], [("y", good)]));
        Assert.Throws<ModelContractException>(() => session.Run([("x", wrong)], [("y", good)]));
        Assert.Equal(0, session.RunsUnderWay);
        Assert.Equal([1, 1, 1], TinyGraphs.RunAffine(session, [0, 0, 0]));
    }

    [Fact]
    public void Run_AfterDispose_Throws()
    {
        ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine");
        session.Dispose();
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => TinyGraphs.RunAffine(session, [1, 2, 3]));
    }

    [Fact]
    public void Run_TokenAlreadyCancelled_Throws()
    {
        using ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine");
        Assert.Throws<OperationCanceledException>(() => TinyGraphs.RunAffine(session, [1, 2, 3], new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task Run_CancelledUnderWay_StopsSoon_AndOnlyThatRun()
    {
        using ModelSession session = SessionFactory.Create(TinyGraphs.Endless(), "endless", ExecutionOptions.For(new CpuProvider(1)));
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        Task firstRun = StartEndless(session, first.Token);
        Task secondRun = StartEndless(session, second.Token);
        await Until(() => session.RunsUnderWay == 2);
        await Task.Delay(AWhile, TestContext.Current.CancellationToken);

        long cancelled = Stopwatch.GetTimestamp();
        await first.CancelAsync();
        var e = await Assert.ThrowsAsync<OperationCanceledException>(() => firstRun.WaitAsync(Enough, TestContext.Current.CancellationToken));
        TimeSpan took = Stopwatch.GetElapsedTime(cancelled);
        Assert.Equal(first.Token, e.CancellationToken);
        Assert.True(took < TimeSpan.FromSeconds(10), $"The run went on for {took} after it was cancelled.");
        Assert.False(secondRun.IsCompleted, "Another run ended with the one that was cancelled.");

        await second.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => secondRun.WaitAsync(Enough, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Dispose_DuringARun_WaitsForItsEnd()
    {
        ModelSession session = SessionFactory.Create(TinyGraphs.Endless(), "endless", ExecutionOptions.For(new CpuProvider(1)));
        using var stop = new CancellationTokenSource();
        Task run = StartEndless(session, stop.Token);
        await Until(() => session.RunsUnderWay == 1);

        Task dispose = Task.Factory.StartNew(session.Dispose, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.Delay(AWhile, TestContext.Current.CancellationToken);
        Assert.False(dispose.IsCompleted, "Dispose did not wait for the run.");
        Assert.False(run.IsCompleted);
        Assert.Throws<ObjectDisposedException>(() => TinyGraphs.RunEndless(session, CancellationToken.None));

        await stop.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => run.WaitAsync(Enough, TestContext.Current.CancellationToken));
        await dispose.WaitAsync(Enough, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Dispose_WhileEightThreadsRun_EveryRunIsRightOrRefused()
    {
        for (int round = 0; round < 20; round++)
        {
            ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine", ExecutionOptions.For(new CpuProvider(1)));
            int done = 0;
            Thread[] threads = [.. Enumerable.Range(0, 8).Select(_ => new Thread(() =>
            {
                try
                {
                    while (true)
                    {
                        if (!TinyGraphs.RunAffine(session, [1, 2, 3]).SequenceEqual([3f, 5f, 7f])) return; // counted as missing below
                    }
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref done);
                }
            }))];
            foreach (Thread thread in threads) thread.Start();
            Thread.Sleep(round);
            session.Dispose();
            foreach (Thread thread in threads) Assert.True(thread.Join(Enough), "A thread hangs.");
            Assert.Equal(8, done);
        }
    }

    [Fact]
    public async Task OneRunAtATime_OnOneDevice_ButNotOnAnother()
    {
        using ModelSession busy = SessionFactory.Create(TinyGraphs.Endless(), "endless", ExecutionOptions.For(new OneAtATimeProvider(0)));
        using ModelSession sameDevice = SessionFactory.Create(TinyGraphs.Affine(), "affine", ExecutionOptions.For(new OneAtATimeProvider(0)));
        using ModelSession otherDevice = SessionFactory.Create(TinyGraphs.Affine(), "affine", ExecutionOptions.For(new OneAtATimeProvider(1)));
        using var stop = new CancellationTokenSource();
        Task run = StartEndless(busy, stop.Token);
        await Until(() => busy.RunsUnderWay == 1);
        await Task.Delay(AWhile, TestContext.Current.CancellationToken);

        Assert.Equal([3, 5, 7], TinyGraphs.RunAffine(otherDevice, [1, 2, 3]));
        using (var soon = new CancellationTokenSource(AWhile))
            Assert.ThrowsAny<OperationCanceledException>(() => TinyGraphs.RunAffine(sameDevice, [1, 2, 3], soon.Token));
        Assert.False(run.IsCompleted);

        await stop.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => run.WaitAsync(Enough, TestContext.Current.CancellationToken));
        Assert.Equal([3, 5, 7], TinyGraphs.RunAffine(sameDevice, [1, 2, 3]));
    }

    private static Task StartEndless(ModelSession session, CancellationToken cancellationToken) => Task.Factory.StartNew(
        () => TinyGraphs.RunEndless(session, cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static async Task Until(Func<bool> condition)
    {
        for (long start = Stopwatch.GetTimestamp(); !condition(); await Task.Delay(5, TestContext.Current.CancellationToken))
            Assert.True(Stopwatch.GetElapsedTime(start) < Enough, "Nothing happened.");
    }
}
