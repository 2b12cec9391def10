using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything.Tests.Execution;

public class ExecutionProviderTests
{
    [Fact]
    public void Cpu_WithThreads_SetsThemAndAppendsNothing()
    {
        using var options = new SessionOptions();
        new CpuProvider(Threads: 3).Configure(options);
        Assert.Equal(3, options.IntraOpNumThreads);
    }

    [Fact]
    public void Cpu_ByDefault_LeavesTheNumberOfThreadsToOnnxRuntime()
    {
        using var options = new SessionOptions();
        new CpuProvider().Configure(options);
        Assert.Equal(0, options.IntraOpNumThreads);
    }

    [Fact]
    public void Cpu_NegativeThreads_Throws()
    {
        using var options = new SessionOptions();
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuProvider(-1).Configure(options));
        ArgumentOutOfRangeException tooMany = Assert.Throws<ArgumentOutOfRangeException>(() => new CpuProvider(1025));
        Assert.Contains("up to 1024 threads", tooMany.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new CpuProvider() with { Threads = 9999 });
        Assert.Equal(1024, new CpuProvider(1024).Threads);
    }

    [Fact]
    public void DirectML_TurnsMemoryPatternOffAndRunsSequentially()
    {
        using var options = new SessionOptions { EnableMemoryPattern = true, ExecutionMode = ExecutionMode.ORT_PARALLEL };
        var provider = new DirectMLProvider();
        Exception? absent = Record.Exception(() => provider.Configure(options));

        // The tests' ONNX Runtime has no DirectML; the options were set before that was found out.
        Assert.True(absent is EntryPointNotFoundException or OnnxRuntimeException, $"{absent}");
        Assert.False(options.EnableMemoryPattern);
        Assert.Equal(ExecutionMode.ORT_SEQUENTIAL, options.ExecutionMode);
        Assert.True(provider.RunsOneAtATime);
    }

    [Fact]
    public void Cuda_InARuntimeWithoutIt_SaysSo()
    {
        using var options = new SessionOptions();
        Exception? absent = Record.Exception(() => new CudaProvider(1) { AllowTf32 = true }.Configure(options));
        Assert.Contains("CUDA", Assert.IsType<OnnxRuntimeException>(absent).Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Named_UnknownToOnnxRuntime_SaysSo()
    {
        using var options = new SessionOptions();
        var provider = new NamedProvider("NoSuchProvider", new Dictionary<string, string> { ["key"] = "value" });
        Exception? unknown = Record.Exception(() => provider.Configure(options));
        Assert.Contains("NoSuchProvider", Assert.IsType<OnnxRuntimeException>(unknown).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Named_AreEqual_WhenNameAndOptionsAre()
    {
        static NamedProvider Make(string value) => new("XNNPACK", new Dictionary<string, string> { ["threads"] = value });
        Assert.Equal(Make("2"), Make("2"));
        Assert.Equal(Make("2").GetHashCode(), Make("2").GetHashCode());
        Assert.NotEqual(Make("2"), Make("3"));
        Assert.NotEqual(Make("2"), new NamedProvider("XNNPACK"));
    }

    [Fact]
    public void Named_WithoutAName_Throws() => Assert.Throws<ArgumentException>(() => new NamedProvider(" "));

    [Fact]
    public void DevicesOfOneKind_AreDifferentProviders()
    {
        Assert.Equal(new DirectMLProvider(1), new DirectMLProvider(1));
        Assert.NotEqual(new DirectMLProvider(0), new DirectMLProvider(1));
    }

    [Fact]
    public void Options_ByDefault_AreTheProcessorAlone() =>
        Assert.Equal([new CpuProvider()], ExecutionOptions.Default.Providers);

    [Fact]
    public void Options_WithoutProviders_Throw()
    {
        Assert.Throws<ArgumentException>(() => ExecutionOptions.For());
        Assert.Throws<ArgumentException>(() => ExecutionOptions.For(new CpuProvider(), null!));
    }
}
