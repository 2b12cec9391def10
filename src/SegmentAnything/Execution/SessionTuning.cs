using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything.Execution;

/// <summary>What we ask of ONNX Runtime for one particular graph, whatever the provider.</summary>
internal sealed record SessionTuning
{
    public static SessionTuning Default { get; } = new();

    /// <summary>
    /// What a session needs so that float16 weights stay so in memory, mapped from their file. Otherwise ONNX Runtime
    /// converts them all to float32 when it loads: by folding constants, and by rewritings beyond the basic ones, which
    /// these graphs do not need.
    /// </summary>
    public static SessionTuning HalfWeights { get; } = Default with
    {
        Optimization = GraphOptimizationLevel.ORT_ENABLE_BASIC,
        Entries = new Dictionary<string, string> { ["optimization.disable_specified_optimizers"] = "ConstantFolding" },
    };

    /// <summary>How far the graph is rewritten while it is loaded. Default: all rewritings.</summary>
    public GraphOptimizationLevel Optimization { get; init; } = GraphOptimizationLevel.ORT_ENABLE_ALL;

    /// <summary>
    /// Plans memory from the shapes of the first run. Default: true. Costs memory where shapes change from run to run.
    /// </summary>
    public bool MemoryPattern { get; init; } = true;

    /// <summary>Keeps freed memory for the next run. Default: true.</summary>
    public bool CpuArena { get; init; } = true;

    /// <summary>Session configuration entries by key, as ONNX Runtime documents them. Default: none.</summary>
    public IReadOnlyDictionary<string, string> Entries { get; init; } = new Dictionary<string, string>();

    public void Apply(SessionOptions options)
    {
        options.GraphOptimizationLevel = Optimization;
        options.EnableMemoryPattern = MemoryPattern;
        options.EnableCpuMemArena = CpuArena;
        foreach ((string key, string value) in Entries) options.AddSessionConfigEntry(key, value);
    }
}
