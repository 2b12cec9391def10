using SegmentAnything.Decoding;

namespace SegmentAnything.Tests.Decoding;

public class WorkSplitterTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Run_ManyRounds_DoesEveryItemOnce(int threads)
    {
        using WorkSplitter splitter = new(threads);
        for (int round = 0; round < 300; round++)
        {
            Counting work = new(round % 17, threads);
            splitter.Run(work, work.Counts.Length);
            Assert.All(work.Counts, count => Assert.Equal(1, count));
            if (round % 50 == 0) Thread.Sleep(2); // let the helpers fall asleep
        }
    }

    [Fact]
    public async Task Run_FromManyThreadsAtOnce_NeverMixesTheirItems()
    {
        using WorkSplitter splitter = new(3);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (int round = 0; round < 500; round++)
            {
                Counting work = new(11, 3);
                splitter.Run(work, 11);
                Assert.All(work.Counts, count => Assert.Equal(1, count));
            }
        })));
    }

    [Fact]
    public void Run_FromInsideOfTheWork_DoesTheInnerItemsToo()
    {
        using WorkSplitter splitter = new(3);
        Nested work = new(splitter);
        splitter.Run(work, 20);
        Assert.Equal(20 * 7, work.Done);
    }

    [Fact]
    public void Run_ItemThrows_RethrowsAndGoesOn()
    {
        using WorkSplitter splitter = new(3);
        for (int round = 0; round < 20; round++)
        {
            Assert.Equal("item 5", Assert.Throws<InvalidOperationException>(() => splitter.Run(new Throwing(), 50)).Message);
            Counting work = new(9, 3);
            splitter.Run(work, 9);
            Assert.All(work.Counts, count => Assert.Equal(1, count));
        }
    }

    private sealed class Counting(int items, int threads) : ISplitWork
    {
        public int[] Counts { get; } = new int[items];

        public void Execute(int item, int worker)
        {
            Assert.InRange(worker, 0, threads - 1);
            Interlocked.Increment(ref Counts[item]);
        }
    }

    private sealed class Nested(WorkSplitter splitter) : ISplitWork
    {
        private int _done;

        public int Done => _done;

        public void Execute(int item, int worker)
        {
            Counting inner = new(7, 1);
            splitter.Run(inner, 7);
            Interlocked.Add(ref _done, inner.Counts.Sum());
        }
    }

    private sealed class Throwing : ISplitWork
    {
        public void Execute(int item, int worker)
        {
            if (item == 5) throw new InvalidOperationException($"item {item}");
        }
    }
}
