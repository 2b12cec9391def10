namespace SegmentAnything.Cli;

/// <summary>Says every tenth of a file that is downloaded.</summary>
internal sealed class DownloadReporter(Progress progress) : IProgress<ModelDownloadProgress>
{
    private (ModelFile? File, long Tenth) _said;

    public void Report(ModelDownloadProgress value)
    {
        long tenth = value.Total > 0 ? 10 * value.Received / value.Total.Value : 0;
        if (_said == (value.File, tenth)) return;
        _said = (value.File, tenth);
        progress.Say(value.ToString());
    }
}
