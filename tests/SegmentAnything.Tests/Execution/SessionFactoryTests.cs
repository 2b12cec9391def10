using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Execution;

namespace SegmentAnything.Tests.Execution;

public class SessionFactoryTests
{
    private sealed record FailingProvider(string Reason) : ExecutionProvider
    {
        public override string Name => "Failing";

        public override string Package => "The.Package";

        public override void Configure(SessionOptions options) => throw new EntryPointNotFoundException(Reason);
    }

    // Takes everything, as CPU would, under a name of its own.
    private sealed record RecordingProvider(List<SessionOptions> Configured) : ExecutionProvider
    {
        public override string Name => "Recording";

        public override void Configure(SessionOptions options) => Configured.Add(options);
    }

    [Fact]
    public void Create_TakesTheFirstProviderThatWorks_AndKeepsTheReasonsOfTheOthers()
    {
        List<SessionOptions> configured = [];
        var options = ExecutionOptions.For(
            new FailingProvider("no such entry"), new RecordingProvider(configured), new CpuProvider());
        using ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine", options);

        Assert.IsType<RecordingProvider>(session.Provider);
        Assert.Single(configured);
        ExecutionProviderFailure passedOver = Assert.Single(session.PassedOver);
        Assert.Equal(new FailingProvider("no such entry"), passedOver.Provider);
        Assert.Contains("no such entry", passedOver.Reason, StringComparison.Ordinal);
        Assert.Contains("The.Package", passedOver.Reason, StringComparison.Ordinal);
        Assert.Equal([3, 5, 7], TinyGraphs.RunAffine(session, [1, 2, 3]));
    }

    [Fact]
    public void Create_EachProviderIsTriedAlone_WithFreshOptions()
    {
        List<int> threads = [];
        var options = new ExecutionOptions
        {
            Providers = [new CpuProvider(3), new FailingProvider("x")],
            ConfigureSession = o =>
            {
                threads.Add(o.IntraOpNumThreads);
                o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            },
        };
        using (ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine", options))
            Assert.Equal(new OnnxCpuProvider(3), session.Provider);
        Assert.Equal([3], threads);

        threads.Clear();
        options = options with { Providers = [new FailingProvider("x"), new CpuProvider()] };
        using (ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine", options))
            Assert.Equal(new OnnxCpuProvider(), session.Provider);
        Assert.Equal([0], threads);
    }

    [Fact]
    public void Create_RealProvidersThatAreAbsent_FallBackToTheProcessor()
    {
        Assert.SkipWhen(OperatingSystem.IsMacOS() || OperatingSystem.IsWindows(), "Core ML or DirectML may be there.");
        var options = ExecutionOptions.For(
            new CudaProvider(), new DirectMLProvider(), new CoreMLProvider(), new NamedProvider("NoSuchProvider"), new CpuProvider(1));
        using ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine", options);
        Assert.Equal(new OnnxCpuProvider(1), session.Provider);
        Assert.Equal(["CUDA", "DirectML", "CoreML", "NoSuchProvider"], session.PassedOver.Select(f => f.Provider.Name));
        Assert.All(session.PassedOver, f => Assert.NotEmpty(f.Reason));
    }

    [Fact]
    public void Create_WhenNoneWorks_ListsEachWithItsReason()
    {
        var options = ExecutionOptions.For(new FailingProvider("first reason"), new CudaProvider(7), new FailingProvider("third reason"));
        var e = Assert.Throws<ExecutionProviderException>(() => SessionFactory.Create(TinyGraphs.Affine(), "tiny.onnx", options));

        Assert.Equal(options.Providers, e.Failures.Select(f => f.Provider));
        Assert.All(e.Failures, f => Assert.Contains(f.Reason, e.Message, StringComparison.Ordinal));
        Assert.Contains("tiny.onnx", e.Message, StringComparison.Ordinal);
        Assert.Contains("first reason", e.Message, StringComparison.Ordinal);
        Assert.Contains("Microsoft.ML.OnnxRuntime.Gpu", e.Message, StringComparison.Ordinal);
        Assert.Contains("third reason", e.Message, StringComparison.Ordinal);
        Assert.Contains("CpuProvider", e.Message, StringComparison.Ordinal);
        Assert.IsType<EntryPointNotFoundException>(e.InnerException);
    }

    [Fact]
    public void Create_HookThatThrows_IsTheApplicationsOwnError()
    {
        var options = new ExecutionOptions { ConfigureSession = _ => throw new InvalidOperationException("mine") };
        var e = Assert.Throws<InvalidOperationException>(() => SessionFactory.Create(TinyGraphs.Affine(), "affine", options));
        Assert.Equal("mine", e.Message);
    }

    [Fact]
    public void Create_TuningComesFirst_TheHookLast()
    {
        GraphOptimizationLevel seen = default;
        bool pattern = true;
        var options = new ExecutionOptions
        {
            ConfigureSession = o => (seen, pattern) = (o.GraphOptimizationLevel, o.EnableMemoryPattern),
        };
        var tuning = new SessionTuning { Optimization = GraphOptimizationLevel.ORT_ENABLE_BASIC, MemoryPattern = false };
        using ModelSession session = SessionFactory.Create(TinyGraphs.Affine(), "affine", options, tuning);
        Assert.Equal(GraphOptimizationLevel.ORT_ENABLE_BASIC, seen);
        Assert.False(pattern);
    }

    [Fact]
    public void Create_FromFileAndFromPartOfABuffer_GiveTheSameModel()
    {
        byte[] model = TinyGraphs.Affine();
        byte[] padded = [1, 2, 3, .. model, 4, 5];
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.onnx");
        File.WriteAllBytes(path, model);
        try
        {
            using ModelSession fromFile = SessionFactory.Create(path);
            using ModelSession fromBuffer = SessionFactory.Create(padded.AsMemory(3, model.Length), "a part");
            Assert.Equal(path, fromFile.Source);
            Assert.Equal([1, 3, 5, 7, 9, 11], TinyGraphs.RunAffine(fromFile, [0, 1, 2, 3, 4, 5]));
            Assert.Equal([1, 3, 5, 7, 9, 11], TinyGraphs.RunAffine(fromBuffer, [0, 1, 2, 3, 4, 5]));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Create_MissingFile_NamesIt()
    {
        var e = Assert.Throws<FileNotFoundException>(() => SessionFactory.Create("no/such/model.onnx"));
        Assert.Contains("no/such/model.onnx", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("text")]
    [InlineData("truncated")]
    [InlineData("foreign")]
    public void Create_FromWhatIsNoModel_SaysSoInsteadOfBlamingTheProvider(string what)
    {
        byte[] model = TinyGraphs.Affine();
        byte[] bytes = what switch
        {
            "empty" => [],
            "text" => "<!DOCTYPE html><html>not found</html>"u8.ToArray(),
            "truncated" => model[..(model.Length / 2)],
            _ => [0x50, 0x4B, 0x03, 0x04, .. new byte[1000]], // the start of a zip file
        };
        var e = Assert.Throws<ModelContractException>(() => SessionFactory.Create(bytes, "broken.onnx"));
        Assert.Contains("broken.onnx", e.Message, StringComparison.Ordinal);
        Assert.Contains("complete", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task MissingNativeLibrary_NamesThePackages() =>
        SecondProcess.RunAsync(typeof(SessionFactoryTests).GetMethod(nameof(WithoutTheNativeLibrary))!);

    /// <summary>Runs in a process of its own, since a library that was found stays.</summary>
    [Fact(Explicit = true)]
    public void WithoutTheNativeLibrary()
    {
        OrtEnv.DisableDllImportResolver = true;
        NativeLibrary.SetDllImportResolver(
            typeof(SessionOptions).Assembly, (name, _, _) => throw new DllNotFoundException($"Unable to load shared library '{name}'"));

        // The second time the runtime repeats a failure that it remembers.
        for (int i = 0; i < 2; i++)
        {
            var e = Assert.Throws<ExecutionProviderException>(() =>
                SessionFactory.Create(TinyGraphs.Affine(), "affine", ExecutionOptions.For(new CudaProvider(), new CpuProvider())));
            foreach (string part in new[]
            {
                "affine runs in ONNX Runtime", "Microsoft.ML.OnnxRuntime for the processor", "Microsoft.ML.OnnxRuntime.Gpu", "Microsoft.ML.OnnxRuntime.DirectML",
                "Unable to load shared library 'onnxruntime'",
            })
            {
                Assert.Contains(part, e.Message, StringComparison.Ordinal);
            }

            Assert.Empty(e.Failures);
        }
    }
}
