using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Runs on any DirectX 12 GPU, on Windows. Add the Microsoft.ML.OnnxRuntime.DirectML package to the application.</summary>
/// <param name="DeviceId">The adapter's index as DXGI counts, from 0.</param>
public sealed record DirectMLProvider(int DeviceId = 0) : ExecutionProvider
{
    /// <inheritdoc/>
    public override string Name => "DirectML";

    /// <inheritdoc/>
    public override string Package => "Microsoft.ML.OnnxRuntime.DirectML";

    /// <summary>Always true: DirectML does not allow two runs on one device at the same time.</summary>
    public override bool RunsOneAtATime => true;

    /// <inheritdoc/>
    public override void Configure(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);

        // Both are conditions of the DirectML provider, not tuning.
        options.EnableMemoryPattern = false;
        options.ExecutionMode = ExecutionMode.ORT_SEQUENTIAL;
        options.AppendExecutionProvider_DML(DeviceId);
    }
}
