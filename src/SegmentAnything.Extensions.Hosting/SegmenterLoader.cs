using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SegmentAnything.Extensions.Hosting;

/// <summary>Loads the model when the container makes it.</summary>
internal sealed class SegmenterLoader(IOptions<SegmentAnythingOptions> options, ILogger<SegmenterLoader> logger)
{
    /// <summary>Cancelled when the host is stopped while it starts.</summary>
    public CancellationToken Starting { get; set; }

    /// <summary>Downloads the model where it must and may, and loads it.</summary>
    public ISegmenter Load()
    {
        SegmentAnythingOptions wanted = options.Value;
        logger.Loading(wanted.Model);
        long start = TimeProvider.System.GetTimestamp();
        SamModel model = wanted.Download && SamModels.Find(wanted.Model) is { } published
            ? SamModel.Load(published, Download(published), wanted.Sam, Starting)
            : SamModel.Load(wanted.Model, wanted.Sam, Starting);
        logger.Loaded(model.Variant.Name, TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
        return model;
    }

    // Blocks: a container makes its services so. The hosted service sees to it that this is not the first request's thread.
    private ModelFiles Download(SamVariant variant) =>
        ModelStore.Default.GetAsync(variant, progress: new Progress(logger), cancellationToken: Starting).GetAwaiter().GetResult();

    // A line for each tenth.
    private sealed class Progress(ILogger logger) : IProgress<ModelDownloadProgress>
    {
        private (ModelFile? File, long Tenth) _last;

        public void Report(ModelDownloadProgress value)
        {
            long tenth = value.Total is > 0 ? 10 * value.Received / value.Total.Value : value.Received >> 24;
            if (_last == (value.File, tenth)) return;
            _last = (value.File, tenth);
            logger.Downloading(value.File.FileName, value.Received, value.Total);
        }
    }
}
