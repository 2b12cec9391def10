using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Execution;
using SegmentAnything.Graphs;

namespace SegmentAnything.Tests.Fakes;

/// <summary>Graphs of a few nodes, and how to run them.</summary>
internal static class TinyGraphs
{
    private const int Side = 1024;

    /// <summary>"y" = 2 * "x" + 1, for "x" of shape batch x 3.</summary>
    public static byte[] Affine()
    {
        var graph = new GraphBuilder("affine");
        Value x = graph.Input("x", "batch", 3);
        graph.Output("y", graph.Add(graph.Multiply(x, graph.Scalar(2)), graph.Scalar(1)), "batch", 3);
        return graph.ToBytes();
    }

    /// <summary>
    /// "y" = "x" times itself 2 000 times: 4 TFLOP, half a minute and more on the one thread that the tests give it, some
    /// 20 ms for each node.
    /// </summary>
    public static byte[] Endless()
    {
        var graph = new GraphBuilder("endless");
        Value x = graph.Input("x", Side, Side);
        Value y = x;
        for (int i = 0; i < 2_000; i++) y = graph.MatMul(y, x);
        graph.Output("y", y, Side, Side);
        return graph.ToBytes();
    }

    public static float[] RunAffine(ModelSession session, float[] x, CancellationToken cancellationToken = default)
    {
        float[] y = new float[x.Length];
        long[] shape = [x.Length / 3, 3];
        using OrtValue input = OrtValue.CreateTensorValueFromMemory(x, shape);
        using OrtValue output = OrtValue.CreateTensorValueFromMemory(y, shape);
        session.Run([("x", input)], [("y", output)], cancellationToken);
        return y;
    }

    /// <summary>Runs <see cref="Endless"/>; returns only by throwing, once the token is cancelled.</summary>
    public static void RunEndless(ModelSession session, CancellationToken cancellationToken)
    {
        using OrtValue input = OrtValue.CreateTensorValueFromMemory(new float[Side * Side], [Side, Side]);
        using OrtValue output = OrtValue.CreateTensorValueFromMemory(new float[Side * Side], [Side, Side]);
        session.Run([("x", input)], [("y", output)], cancellationToken);
    }
}
