using Microsoft.ML.OnnxRuntime.Tensors;
using SegmentAnything.Execution;

namespace SegmentAnything.Tests.Execution;

public sealed class SessionContractTests : IDisposable
{
    private readonly ModelSession _session = SessionFactory.Create(TinyGraphs.Affine(), "affine.onnx"); // x, y: Float [?, 3]

    public void Dispose() => _session.Dispose();

    private void Check(TensorContract input, TensorContract output) => SessionContract.Check(_session, "the doubler", [input], [output]);

    [Fact]
    public void Check_ExpectedTensors_Passes()
    {
        Check(TensorContract.Float("x", TensorContract.Open, 3), TensorContract.Float("y", TensorContract.Any, 3));
        Check(TensorContract.Float("x", 1, 3), TensorContract.Float("y", TensorContract.Any, TensorContract.Any));
        Check(TensorContract.Float(null, 1, 3), TensorContract.Float(null, TensorContract.Any, 3));
    }

    [Fact]
    public void Check_OtherLength_SaysWhatWasExpectedAndFound()
    {
        var e = Assert.Throws<ModelContractException>(() => Check(TensorContract.Float("x", 1, 4), TensorContract.Float("y", 1, 3)));
        Assert.Equal(("x", "Float [1, 4]", "Float [?, 3]"), (e.TensorName, e.Expected, e.Found));
        foreach (string part in new[] { "affine.onnx", "input 'x'", "expected Float [1, 4]", "found Float [?, 3]", "the doubler" })
            Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_OtherRankOrType_Throws()
    {
        Assert.Throws<ModelContractException>(() => Check(TensorContract.Float("x", 3), TensorContract.Float("y", 1, 3)));
        Assert.Throws<ModelContractException>(() => Check(TensorContract.Float("x", 1, 3), new TensorContract("y", TensorElementType.Int64, [1, 3])));
    }

    [Fact]
    public void Check_DimensionThatShouldBeOpen_Throws()
    {
        var e = Assert.Throws<ModelContractException>(() =>
            Check(TensorContract.Float("x", TensorContract.Open, TensorContract.Open), TensorContract.Float("y", 1, 3)));
        Assert.Equal("Float [open, open]", e.Expected);
    }

    [Fact]
    public void Check_MissingTensor_NamesThoseThatAreThere()
    {
        var e = Assert.Throws<ModelContractException>(() => Check(TensorContract.Float("x", 1, 3), TensorContract.Float("masks", 1, 3)));
        Assert.Equal(("masks", null), (e.TensorName, e.Found));
        Assert.Contains("found only y", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_InputThatIsNotExpected_Throws()
    {
        var e = Assert.Throws<ModelContractException>(() => SessionContract.Check(_session, "nothing", [], []));
        Assert.Equal("x", e.TensorName);
    }
}
