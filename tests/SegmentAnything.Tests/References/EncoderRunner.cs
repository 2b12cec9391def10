using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Execution;
using SegmentAnything.Graphs;
using SegmentAnything.Models;

namespace SegmentAnything.Tests.References;

/// <summary>Runs an encoder graph once.</summary>
internal static class EncoderRunner
{
    public static float[] Run(GraphBuilder graph, float[] image, bool half = false)
    {
        using SessionOptions options = new();
        if (half) SessionTuning.HalfWeights.Apply(options);
        using var session = new InferenceSession(graph.ToBytes(), options);
        return Run(session, image);
    }

    public static float[] Run(InferenceSession session, float[] image)
    {
        (string name, NodeMetadata input) = session.InputMetadata.Single();
        using OrtValue value = OrtValue.CreateTensorValueFromMemory(image, [.. input.Dimensions.Select(d => (long)Math.Abs(d))]);
        using var options = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, [name], [value], session.OutputNames);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    public static float[] RandomImage(int size, int seed)
    {
        var random = new Random(seed);
        float[] image = new float[3 * size * size];
        for (int i = 0; i < image.Length; i++) image[i] = 4 * random.NextSingle() - 2;
        return image;
    }

    public static double MaxDifference(ReadOnlySpan<float> found, ReadOnlySpan<double> expected)
    {
        Assert.Equal(expected.Length, found.Length);
        double largest = 0;
        for (int i = 0; i < found.Length; i++)
        {
            double difference = Math.Abs(found[i] - expected[i]);
            if (!(difference <= largest)) largest = difference; // NaN counts
        }

        return largest;
    }
}
