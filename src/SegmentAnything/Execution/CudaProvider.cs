using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Runs on an NVIDIA GPU. Add the Microsoft.ML.OnnxRuntime.Gpu package to the application.</summary>
/// <param name="DeviceId">The device's index as CUDA counts, from 0.</param>
public sealed record CudaProvider(int DeviceId = 0) : ExecutionProvider
{
    /// <summary>
    /// Lets matrix products round their factors to TF32 (10 bits of mantissa), which is faster and less exact.
    /// Default: false, unlike ONNX Runtime, so that results agree with the reference.
    /// </summary>
    public bool AllowTf32 { get; init; }

    /// <inheritdoc/>
    public override string Name => "CUDA";

    /// <inheritdoc/>
    public override string Package => "Microsoft.ML.OnnxRuntime.Gpu";

    /// <inheritdoc/>
    public override void Configure(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        using var cuda = new OrtCUDAProviderOptions();
        cuda.UpdateOptions(new Dictionary<string, string>
        {
            ["device_id"] = DeviceId.ToString(CultureInfo.InvariantCulture),
            ["use_tf32"] = AllowTf32 ? "1" : "0",
        });
        options.AppendExecutionProvider_CUDA(cuda);
    }
}
