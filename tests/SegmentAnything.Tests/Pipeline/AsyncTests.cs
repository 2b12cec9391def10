using System.Buffers;
using SegmentAnything.Tests.Decoding;

namespace SegmentAnything.Tests.Pipeline;

public sealed class AsyncTests
{
    [Fact]
    public async Task EncodeAsyncAndPredictAsync_GiveWhatTheirTwinsGive()
    {
        using SamModel sam = ToyModel.Load();
        CancellationToken token = TestContext.Current.CancellationToken;
        byte[] pixels = [.. Enumerable.Range(0, 50 * 40 * 3).Select(i => (byte)(i * 31))];
        PixelBuffer picture = PixelBuffer.FromRgb24(pixels, 50, 40);
        using ImageEmbedding embedding = await sam.EncodeAsync(picture, token), expected = sam.Encode(picture, token);
        Assert.Equal(expected.Values, embedding.Values);

        Prompt[] prompts = [Prompt.Point(20, 10), Prompt.Box(5, 5, 30, 30)];
        Assert.Equal(
            sam.Predict(embedding, prompts[0], MaskSelection.All, token).Select(m => m.Mask),
            (await sam.PredictAsync(embedding, prompts[0], MaskSelection.All, token)).Select(m => m.Mask));
        Assert.Equal(
            sam.Predict(embedding, prompts, cancellationToken: token).Select(p => p.Best.Mask),
            (await sam.PredictAsync(embedding, prompts, cancellationToken: token)).Select(p => p.Best.Mask));
    }

    [Fact]
    public async Task AsyncTwins_CancelledOrWrong_EndWithTheException()
    {
        using SamModel sam = ToyModel.Load();
        var cancelled = new CancellationToken(true);
        PixelBuffer picture = PixelBuffer.FromGray8(new byte[64], 8, 8);
        using ImageEmbedding embedding = sam.Encode(picture);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sam.EncodeAsync(picture, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sam.PredictAsync(embedding, Prompt.Point(1, 1), cancellationToken: cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sam.PredictAsync(embedding, [Prompt.Point(1, 1)], cancellationToken: cancelled));
        await Assert.ThrowsAsync<ArgumentException>(() => sam.EncodeAsync(default));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => sam.PredictAsync(embedding, Prompt.Point(99, 1)));
    }

    // The memory itself cancels when the resizing begins to read it; from then on every row asks.
    [Theory]
    [InlineData(2000, 3000)]
    [InlineData(300, 60)]
    public void Encode_CancelledWithinTheResize_StopsBeforeItsEnd(int width, int height)
    {
        using SamModel sam = ToyModel.Load();
        using var cancellation = new CancellationTokenSource();
        using var memory = new CountingMemory(width * height, reads =>
        {
            if (reads == 5) cancellation.Cancel();
        });
        PixelBuffer picture = PixelBuffer.FromGray8(memory.Memory, width, height);
        Assert.ThrowsAny<OperationCanceledException>(() => sam.Encode(picture, cancellation.Token));
        Assert.InRange(memory.Reads, 5, 5 + Environment.ProcessorCount);
    }

    [Fact]
    public void Load_CancelledAfterTheDecoder_LoadsNoEncoder()
    {
        using var cancellation = new CancellationTokenSource();
        int sessions = 0, cancelAt = int.MaxValue;
        SamOptions options = new()
        {
            Decoder = DecoderBackend.Graph,
            Execution = ExecutionOptions.Default with
            {
                ConfigureSession = _ =>
                {
                    if (++sessions == cancelAt) cancellation.Cancel();
                },
            },
        };
        SamModel.Load(ToyModel.Variant, ToyModel.Files(), options, cancellation.Token).Dispose();
        int all = sessions;
        (sessions, cancelAt) = (0, 1);
        Assert.Throws<OperationCanceledException>(() => SamModel.Load(ToyModel.Variant, ToyModel.Files(), options, cancellation.Token));
        Assert.True(sessions < all, $"{sessions} of {all} sessions were made");
    }

    [Fact]
    public void Load_CancelledBefore_ReadsNothing()
    {
        var cancelled = new CancellationToken(true);
        Assert.Throws<OperationCanceledException>(() => SamModel.Load("no such model", cancellationToken: cancelled));
        Assert.Throws<OperationCanceledException>(() => SamModel.Load(ToyModel.Variant, ToyModel.Files(), cancellationToken: cancelled));
        Assert.Throws<OperationCanceledException>(() => RandomDecoder.Weights(32, mlp: 64, iouHidden: 32, iouDepth: 3, seed: 1).ComputeHash(cancelled));
    }

    /// <summary>Memory that counts how often its bytes are asked for.</summary>
    private sealed class CountingMemory(int length, Action<int> read) : MemoryManager<byte>
    {
        private readonly byte[] _bytes = new byte[length];
        private int _reads;

        public int Reads => _reads;

        public override Span<byte> GetSpan()
        {
            read(Interlocked.Increment(ref _reads));
            return _bytes;
        }

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
