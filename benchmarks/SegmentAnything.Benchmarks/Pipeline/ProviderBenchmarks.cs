using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Engines;

namespace SegmentAnything.Benchmarks.Pipeline;

/// <summary>
/// The same work on every execution provider that loads on this machine, so that users can choose one. The answers are
/// compared with those of the CPU first; providers that do not load are named with their reason.
/// </summary>
[SimpleJob(RunStrategy.Monitoring, warmupCount: 3, iterationCount: 9, invocationCount: 1)]
public class ProviderBenchmarks
{
    private static readonly Dictionary<string, SamOptions> Candidates = new()
    {
        ["CPU, our kernels"] = new SamOptions(),
        ["CPU, our graphs"] = new SamOptions { Decoder = DecoderBackend.Graph },
        ["CUDA"] = new SamOptions { Execution = ExecutionOptions.For(new CudaProvider()) },
        ["DirectML"] = new SamOptions { Execution = ExecutionOptions.For(new DirectMLProvider()) },
        ["Core ML"] = new SamOptions { Execution = ExecutionOptions.For(new CoreMLProvider()) },
    };

    private static readonly Lazy<string[]> Loading = new(() => [.. Candidates.Keys.Where(Loads)]);

    private readonly PixelBuffer _image = PipelineBenchmarks.Picture();
    private readonly Prompt[] _points = PipelineBenchmarks.Points();
    private SamModel _sam = null!;
    private ImageEmbedding _embedding = null!;

    public static IEnumerable<string> Providers => Loading.Value;

    [ParamsSource(nameof(Providers))]
    public string Provider { get; set; } = "CPU, our kernels";

    [GlobalSetup]
    public void Setup()
    {
        _sam = SamModel.Load(SamModels.MobileSam, Candidates[Provider]);
        _embedding = _sam.Encode(_image);
        using SamModel cpu = SamModel.Load(SamModels.MobileSam);
        using ImageEmbedding expected = cpu.Encode(_image);
        MaskPrediction[] found = _sam.Predict(_embedding, _points), reference = cpu.Predict(expected, _points);
        for (int i = 0; i < _points.Length; i++)
        {
            double overlap = found[i].Best.Mask.IntersectionOverUnion(reference[i].Single(m => m.MaskToken == found[i].Best.MaskToken).Mask);
            if (overlap < 0.99) throw new InvalidOperationException($"{Provider} gives another mask for point {i}: IoU {overlap}.");
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _embedding.Dispose();
        _sam.Dispose();
    }

    [Benchmark]
    public void Encode() => _sam.Encode(_image).Dispose();

    [Benchmark(OperationsPerInvoke = PipelineBenchmarks.Times)]
    public void Click()
    {
        for (int i = 0; i < PipelineBenchmarks.Times; i++) _sam.Predict(_embedding, _points[27]).Dispose();
    }

    [Benchmark(OperationsPerInvoke = PipelineBenchmarks.Batch)]
    public void PromptOfABatchOf64() => PipelineBenchmarks.Dispose(_sam.Predict(_embedding, _points));

    private static bool Loads(string name)
    {
        try
        {
            using SamModel sam = SamModel.Load(SamModels.MobileSam, Candidates[name]);
            return true;
        }
        catch (ExecutionProviderException e)
        {
            Console.WriteLine($"// {name} is left out: {e.Message.ReplaceLineEndings(" ")}");
            return false;
        }
    }
}
