using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Runs on Apple hardware through Core ML. The Microsoft.ML.OnnxRuntime package has it on macOS.</summary>
/// <param name="ComputeUnits">What Core ML may use: <c>ALL</c>, <c>CPUAndNeuralEngine</c>, <c>CPUAndGPU</c> or <c>CPUOnly</c>.</param>
public sealed record CoreMLProvider(string ComputeUnits = "ALL") : ExecutionProvider
{
    /// <inheritdoc/>
    public override string Name => "CoreML";

    /// <inheritdoc/>
    public override string Package => "Microsoft.ML.OnnxRuntime";

    /// <inheritdoc/>
    public override void Configure(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.AppendExecutionProvider("CoreML", new Dictionary<string, string>
        {
            ["ModelFormat"] = "MLProgram",
            ["MLComputeUnits"] = ComputeUnits,
        });
    }
}
