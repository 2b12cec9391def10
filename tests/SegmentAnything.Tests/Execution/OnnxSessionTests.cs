namespace SegmentAnything.Tests.Execution;

public sealed class OnnxSessionTests
{
    [Fact]
    public void Run_OnSpans_GivesValuesAndShapesByName()
    {
        using OnnxSession session = OnnxSession.Load(TinyGraphs.Affine(), "affine");
        Assert.Equal("x: Single [?, 3]", Assert.Single(session.Inputs).ToString());
        Assert.Equal("y: Single [?, 3]", Assert.Single(session.Outputs).ToString());
        Assert.IsType<OnnxCpuProvider>(session.Provider);

        ReadOnlySpan<float> x = [1, 2, 3, 4, 5, 6];
        using OnnxInputs inputs = new OnnxInputs().Add("x", x, 2, 3);
        using OnnxOutputs outputs = session.Run(inputs);
        Assert.Equal(["y"], outputs.Names);
        Assert.Equal([3, 5, 7, 9, 11, 13], outputs.Values<float>("y").ToArray());
        Assert.Equal([2, 3], outputs.ShapeOf("y").ToArray());
        Assert.Throws<InvalidCastException>(() => outputs.Values<long>("y").Length);
        Assert.Contains("only y", Assert.Throws<KeyNotFoundException>(() => outputs.Values<float>("z").Length).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_InputsThatAreNotTheModels_SaysWhich()
    {
        using OnnxSession session = OnnxSession.Load(TinyGraphs.Affine(), "affine");
        using OnnxInputs none = new(), other = new OnnxInputs().Add<float>("z", [1], 1), wide = new OnnxInputs().Add<float>("x", [1, 2], 1, 2),
            integers = new OnnxInputs().Add<int>("x", [1, 2, 3], 1, 3);
        Assert.Contains("x: Single [?, 3]", Refused(none).Message, StringComparison.Ordinal);
        Assert.Equal("z", Refused(other).TensorName);
        Assert.Equal("x: Single [1, 2]", Refused(wide).Found);
        Assert.Equal("x: Int32 [1, 3]", Refused(integers).Found);

        ModelContractException Refused(OnnxInputs inputs) => Assert.Throws<ModelContractException>(() => session.Run(inputs));
    }

    [Fact]
    public void Add_ValuesThatDoNotFillTheShape_IsRefused()
    {
        using OnnxInputs inputs = new();
        Assert.Throws<ArgumentException>(() => inputs.Add<float>("x", [1, 2], 1, 3));
        Assert.Throws<NotSupportedException>(() => inputs.Add("x", new decimal[1], 1));
        inputs.Add<float>("x", [1, 2, 3], 1, 3);
        Assert.Throws<ArgumentException>(() => inputs.Add<float>("x", [1, 2, 3], 1, 3));
    }

    [Fact]
    public void Run_CancelledOrDisposed_Throws()
    {
        OnnxSession session = OnnxSession.Load(TinyGraphs.Affine(), "affine");
        using OnnxInputs inputs = new OnnxInputs().Add<float>("x", [1, 2, 3], 1, 3);
        Assert.ThrowsAny<OperationCanceledException>(() => session.Run(inputs, new CancellationToken(canceled: true)));
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Run(inputs));
    }
}
