using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything.Tests.Execution;

/// <summary>Which provider runs which part of a model: the toy's decoder is written in our kernels, its encoder is not.</summary>
public sealed class ProviderChoiceTests
{
    private sealed record AbsentProvider : ExecutionProvider
    {
        public override string Name => "Absent";

        public override string Package => "The.Package";

        public override void Configure(SessionOptions options) => throw new EntryPointNotFoundException("no such entry");
    }

    [Fact]
    public void Cpu_TakesOurKernels_AndOnnxRuntimeForWhatTheyDoNotHave()
    {
        using SamModel sam = ToyModel.Load(new SamOptions { Execution = ExecutionOptions.For(new CpuProvider(2)) });
        Assert.Equal(new OnnxCpuProvider(2), sam.Encoder.Provider);
        Assert.Equal(new CpuProvider(2), sam.Decoder.Provider);
    }

    [Fact]
    public void OnnxCpu_TakesOnnxRuntimeForAll_AndGivesTheSameMasks()
    {
        using SamModel own = ToyModel.Load(), graphs = ToyModel.Load(new SamOptions { Execution = ExecutionOptions.For(new OnnxCpuProvider(1)) });
        Assert.Equal(new OnnxCpuProvider(1), graphs.Encoder.Provider);
        Assert.Equal(new OnnxCpuProvider(1), graphs.Decoder.Provider);
        Assert.Equal(1, graphs.Decoder.Threads);

        byte[] pixels = [.. Enumerable.Range(0, 48 * 32 * 3).Select(i => (byte)(i * 7))];
        PixelBuffer image = PixelBuffer.FromRgb24(pixels, 48, 32);
        using ImageEmbedding one = own.Encode(image), other = graphs.Encode(image);
        float[] expected = own.Predict(one, Prompt.Point(20, 10)).LowResLogits.ToArray(), found = graphs.Predict(other, Prompt.Point(20, 10)).LowResLogits.ToArray();
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], 1e-3f);
    }

    [Fact]
    public void Cpu_BehindOneThatIsAbsent_StillTakesOurKernels()
    {
        using SamModel sam = ToyModel.Load(new SamOptions { Execution = ExecutionOptions.For(new AbsentProvider(), new CpuProvider(2)) });
        Assert.IsType<OnnxCpuProvider>(sam.Encoder.Provider);
        Assert.Equal(new CpuProvider(2), sam.Decoder.Provider);
    }

    [Fact]
    public void Graph_OnTheCpu_IsOnnxRuntime()
    {
        using SamModel sam = ToyModel.Load(new SamOptions { Decoder = DecoderBackend.Graph });
        Assert.IsType<OnnxCpuProvider>(sam.Decoder.Provider);
    }

    [Fact]
    public void WhereNoneWorks_EveryReasonIsGiven()
    {
        var options = ExecutionOptions.For(new AbsentProvider(), new CpuProvider(), new AbsentProvider());
        List<ExecutionProvider[]> asked = [];
        var error = Assert.Throws<ExecutionProviderException>(() => options.Choose<int>(part =>
        {
            asked.Add([.. part.Providers]);
            throw new ExecutionProviderException($"not on {part.Providers[0].Name}", [.. part.Providers.Select(p => new ExecutionProviderFailure(p, "a reason"))]);
        }));

        Assert.Equal([[new AbsentProvider()], [new CpuProvider(), new AbsentProvider()]], asked);
        Assert.Contains("not on Absent", error.Message, StringComparison.Ordinal);
        Assert.Contains("not on CPU", error.Message, StringComparison.Ordinal);
        Assert.Equal(options.Providers, error.Failures.Select(f => f.Provider));
    }

    [Fact]
    public void Threads_AreThoseOfTheFirstProviderThatIsTheProcessor()
    {
        Assert.Equal(3, ExecutionOptions.For(new CudaProvider(), new OnnxCpuProvider(3), new CpuProvider(2)).Threads);
        Assert.Equal(Environment.ProcessorCount, ExecutionOptions.For(new CpuProvider(), new OnnxCpuProvider(3)).Threads);
        Assert.Equal(Environment.ProcessorCount, ExecutionOptions.For(new CudaProvider()).Threads);
    }
}
