using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Graphs;

namespace SegmentAnything.Tests.Families.Sam2;

/// <summary>Runs a graph once, with inputs and outputs by name.</summary>
internal static class GraphRunner
{
    public static Dictionary<string, float[]> Run(GraphBuilder graph, params (string Name, float[] Values, long[] Shape)[] inputs)
    {
        using InferenceSession session = new(graph.ToBytes());
        return Run(session, inputs);
    }

    public static Dictionary<string, float[]> Run(InferenceSession session, params (string Name, float[] Values, long[] Shape)[] inputs)
    {
        using RunOptions options = new();
        OrtValue[] values = [.. inputs.Select(i => OrtValue.CreateTensorValueFromMemory(i.Values, i.Shape))];
        try
        {
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, [.. inputs.Select(i => i.Name)], values, session.OutputNames);
            return session.OutputNames.Zip(outputs).ToDictionary(o => o.First, o => o.Second.GetTensorDataAsSpan<float>().ToArray());
        }
        finally
        {
            foreach (OrtValue value in values) value.Dispose();
        }
    }
}
