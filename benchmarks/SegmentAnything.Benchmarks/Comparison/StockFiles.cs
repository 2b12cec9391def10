using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Kernels;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// What people do today: MobileSAM's two published ONNX files in ONNX Runtime, used as their export means them to be used.
/// One prompt a call, one mask at source size out of the graph.
/// </summary>
internal sealed class StockFiles : IDisposable
{
    /// <summary>Of a prompt as the published decoder computes it: docs/decoder.md, "Work".</summary>
    internal const double PromptMultiplyAdds = 1750e6;

    private readonly InferenceSession _encoder;
    private readonly InferenceSession _decoder;
    private readonly float[] _input = new float[3 * 1024 * 1024];
    private readonly float[] _noMask = new float[256 * 256];

    public StockFiles()
    {
        ModelFiles files = ModelStore.Default.Find(SamModels.MobileSam);
        using SessionOptions options = new();
        _encoder = new InferenceSession(files.FindPath(ModelFileRole.Encoder), options);
        _decoder = new InferenceSession(files.FindPath(ModelFileRole.Decoder), options);
    }

    /// <summary>Resizes, normalises and encodes; the first step is ours here, too.</summary>
    public float[] Encode(PixelBuffer image)
    {
        ImageKernels.Preprocess(image, new ImageFrame(image.Size, 1024), SamModels.MobileSam.PixelMean.AsSpan(), SamModels.MobileSam.PixelStd.AsSpan(), _input);
        using OrtValue input = OrtValue.CreateTensorValueFromMemory(_input, [1, 3, 1024, 1024]);
        using RunOptions run = new();
        using IDisposableReadOnlyCollection<OrtValue> outputs = _encoder.Run(run, ["input"], [input], ["output"]);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    /// <summary>Decodes one point to the mask that the file chooses, as logits at source size.</summary>
    public (OrtValue Logits, float PredictedIou) Decode(float[] embedding, ImageSize size, float x, float y)
    {
        double scale = 1024.0 / Math.Max(size.Width, size.Height);
        using OrtValue image = OrtValue.CreateTensorValueFromMemory(embedding, [1, 256, 64, 64]);
        using OrtValue points = OrtValue.CreateTensorValueFromMemory([(float)(x * scale), (float)(y * scale), 0, 0], [1, 2, 2]);
        using OrtValue labels = OrtValue.CreateTensorValueFromMemory([1f, -1f], [1, 2]);
        using OrtValue mask = OrtValue.CreateTensorValueFromMemory(_noMask, [1, 1, 256, 256]);
        using OrtValue hasMask = OrtValue.CreateTensorValueFromMemory([0f], [1]);
        using OrtValue original = OrtValue.CreateTensorValueFromMemory([(float)size.Height, size.Width], [2]);
        using RunOptions run = new();
        IDisposableReadOnlyCollection<OrtValue> outputs = _decoder.Run(run,
            ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"],
            [image, points, labels, mask, hasMask, original],
            ["masks", "iou_predictions"]);
        float iou = outputs[1].GetTensorDataAsSpan<float>()[0];
        outputs[1].Dispose();
        return (outputs[0], iou);
    }

    /// <summary>The mask of one point, as run lengths.</summary>
    public RleMask Mask(float[] embedding, ImageSize size, float x, float y)
    {
        (OrtValue logits, _) = Decode(embedding, size, x, y);
        using (logits) return RleMask.FromLogits(logits.GetTensorDataAsSpan<float>(), size.Width, size.Height, 0);
    }

    public void Dispose()
    {
        _encoder.Dispose();
        _decoder.Dispose();
    }
}
