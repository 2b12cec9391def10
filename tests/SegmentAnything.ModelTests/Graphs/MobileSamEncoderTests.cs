using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;
using SegmentAnything.Onnx;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests.Graphs;

/// <summary>MobileSAM's encoder, rebuilt from the weights in the exported file, against that file.</summary>
public class MobileSamEncoderTests
{
    // Both compute in float32; the embedding's values are below 1.
    private const double Tolerance = 1e-4;

    [Fact]
    public void RebuiltEncoder_InEveryForm_EqualsTheExportedOne()
    {
        ReadOnlyMemory<byte> stock = ModelStore.Default.Find(SamModels.MobileSam).Read(ModelFileRole.Encoder);
        using StateDict weights = TinyVitOnnxImport.Read(OnnxFile.Parse(stock.Span, "encoder.onnx"), "encoder.onnx");
        float[] image = Picture();
        float[] expected = Run(stock.ToArray(), image);

        foreach (EncoderForm form in new[] { EncoderForm.Tiled, EncoderForm.Plain })
        {
            double difference = ReferenceFile.MaxDifference(Run(TinyVitEncoderGraph.Build(weights, form: form).ToBytes(), image), expected);
            TestContext.Current.TestOutputHelper?.WriteLine($"{form}: {difference:e1}");
            Assert.True(difference < Tolerance, $"{form}: {difference}");
        }

        using WorkSplitter splitter = new(2);
        foreach (int width in new[] { 4, 8, 16 })
        {
            using EncoderNetwork network = TinyVitNetwork.Build(weights, TinyVitLayout.Of(weights), early: false, width);
            float[] embedding = new float[expected.Length];
            network.Run(image, embedding, splitter, TestContext.Current.CancellationToken);
            double difference = ReferenceFile.MaxDifference(embedding, expected);
            TestContext.Current.TestOutputHelper?.WriteLine($"own kernels, vectors of {width}: {difference:e1}");
            Assert.True(difference < Tolerance, $"own kernels, vectors of {width}: {difference}");
        }
    }

    [Fact]
    public void CheckpointLayout_WithBatchNormalisation_EqualsTheExportedOne()
    {
        ReadOnlyMemory<byte> stock = ModelStore.Default.Find(SamModels.MobileSam).Read(ModelFileRole.Encoder);
        using StateDict weights = TinyVitOnnxImport.Read(OnnxFile.Parse(stock.Span, "encoder.onnx"), "encoder.onnx");
        using StateDict checkpoint = CheckpointReader.Open(ByteSource.FromMemory("mobile_sam.pt", TinyCheckpoint.Zip(WrittenCheckpoints.Unfold(weights))));
        float[] image = Picture();

        double difference = ReferenceFile.MaxDifference(Run(TinyVitEncoderGraph.Build(checkpoint).ToBytes(), image), Run(stock.ToArray(), image));
        TestContext.Current.TestOutputHelper?.WriteLine($"checkpoint layout: {difference:e1}");
        Assert.True(difference < Tolerance, $"{difference}");
    }

    // Smooth structure and noise, in the range of normalised pixels.
    private static float[] Picture()
    {
        var random = new Random(3);
        float[] image = new float[3 * 1024 * 1024];
        for (int i = 0; i < image.Length; i++)
        {
            int x = i % 1024, y = i / 1024 % 1024, c = i >> 20;
            image[i] = (float)(1.5 * Math.Sin(x / (20.0 + 15 * c)) * Math.Cos(y / 33.0) + 0.5 * random.NextDouble());
        }

        return image;
    }

    private static float[] Run(byte[] model, float[] image)
    {
        using var session = new InferenceSession(model);
        using OrtValue value = OrtValue.CreateTensorValueFromMemory(image, [1, 3, 1024, 1024]);
        using var options = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(options, [session.InputNames[0]], [value], session.OutputNames);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }
}
