using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SegmentAnything.Extensions.Hosting;

/// <summary>Loads the model before the host has started, and uses it once: memory, threads and compiled code are there then.</summary>
internal sealed class WarmUpService(
    IServiceProvider services, SegmenterLoader loader, IOptions<SegmentAnythingOptions> options, ILogger<WarmUpService> logger) : IHostedService
{
    private const int Side = 64;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.WarmUp) return;
        long start = TimeProvider.System.GetTimestamp();
        await Task.Run(() => WarmUp(cancellationToken), cancellationToken).ConfigureAwait(false);
        logger.Warm(TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void WarmUp(CancellationToken cancellationToken)
    {
        loader.Starting = cancellationToken;
        ISegmenter segmenter;
        try
        {
            segmenter = services.GetRequiredService<ISegmenter>();
        }
        finally
        {
            loader.Starting = CancellationToken.None;
        }

        using ImageEmbedding embedding = segmenter.Encode(PixelBuffer.FromGray8(new byte[Side * Side], Side, Side), cancellationToken);
        using MaskPrediction prediction = segmenter.Predict(embedding, Prompt.Point(Side / 2, Side / 2), cancellationToken: cancellationToken);
    }
}
