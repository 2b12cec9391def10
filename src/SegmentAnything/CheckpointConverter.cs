using System.Diagnostics;
using SegmentAnything.Encoders;
using SegmentAnything.Graphs;
using SegmentAnything.Loading;

namespace SegmentAnything;

/// <summary>How a checkpoint is converted.</summary>
public sealed record CheckpointConversionOptions
{
    /// <summary>Store the image encoder's weights as float16: half the size, and an embedding that differs in the third digit. Default: false.</summary>
    public bool Float16 { get; init; }

    /// <summary>
    /// Arrange the image encoder for processors, part by part; otherwise in large steps, for GPUs and other runtimes.
    /// Default: true.
    /// </summary>
    public bool ForProcessor { get; init; } = true;

    /// <summary>As <see cref="SamOptions.Specification"/>. Default: null.</summary>
    public ModelSpecification? Specification { get; init; }
}

/// <summary>What a conversion made.</summary>
/// <param name="Folder">The folder; <see cref="SamModel.Load(string, SamOptions?, CancellationToken)"/> takes it.</param>
/// <param name="Variant">What the model is.</param>
/// <param name="Files">The files, without their folder.</param>
/// <param name="PredictedIou">The self-check: what the best mask of a click in the middle of a grey image is held to be worth.</param>
/// <param name="Elapsed">How long it took, with the self-check.</param>
public sealed record ConvertedModel(string Folder, SamVariant Variant, IReadOnlyList<string> Files, float PredictedIou, TimeSpan Elapsed);

/// <summary>
/// Turns a checkpoint into a folder of ONNX files that load at once: <c>encoder.onnx</c> (with <c>encoder.weights</c> beside
/// it if it is large) takes the normalised square, <c>decoder.onnx</c> has the inputs and outputs of the official export, so
/// that other runtimes and code written for that can use both. Not needed for running: <see cref="SamModel.Load(string, SamOptions?, CancellationToken)"/> takes checkpoints as they are.
/// </summary>
public static class CheckpointConverter
{
    /// <summary>Converts a checkpoint, and tries the result with one prompt.</summary>
    /// <param name="checkpoint">The path of a PyTorch or safetensors checkpoint of any family.</param>
    /// <param name="folder">The folder to write; it may exist, and files of the same names are replaced when all is done.</param>
    /// <param name="options">How to convert.</param>
    /// <param name="progress">Told the share that is done, 0 to 1.</param>
    /// <param name="cancellationToken">Stops between parts; nothing is left behind.</param>
    /// <exception cref="FileNotFoundException">There is no such checkpoint.</exception>
    /// <exception cref="CheckpointException">The checkpoint is damaged, of no known model, or fails the self-check.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ConvertedModel Convert(
        string checkpoint, string folder, CheckpointConversionOptions? options = null, IProgress<float>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(checkpoint);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        options ??= new CheckpointConversionOptions();
        long start = Stopwatch.GetTimestamp();
        folder = Path.GetFullPath(folder);
        // Known before minutes of work.
        if (File.Exists(folder)) throw new IOException($"'{folder}' is a file: give a folder, which is made where it is missing.");
        using OpenedModel opened = OpenedModel.OfCheckpoint(checkpoint, options.Specification);

        using UnfinishedFolder unfinished = new(folder);
        EncoderCache.Write(opened.Model, opened.Model.Weights.ComputeHash(cancellationToken), unfinished.Path, new EncoderBuildOptions
        {
            Half = options.Float16,
            Form = options.ForProcessor ? EncoderForm.Tiled : EncoderForm.Plain,
            Progress = progress,
        }, cancellationToken);
        byte[] decoder = opened.Model.BuildOfficialDecoder().ToBytes();
        File.WriteAllBytes(Path.Combine(unfinished.Path, OpenedModel.DecoderFileName), decoder);

        float predictedIou = Check(unfinished.Path, cancellationToken);
        string[] files = unfinished.InstallFiles();
        return new ConvertedModel(folder, opened.Variant, files, predictedIou, Stopwatch.GetElapsedTime(start));
    }

    // One click in the middle of a smooth image: wrong weights or an overflow of float16 give NaN.
    private static float Check(string folder, CancellationToken cancellationToken)
    {
        const int side = 64;
        byte[] pixels = new byte[side * side];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)(2 * (i % side) + 2 * (i / side));
        using SamModel sam = SamModel.Load(folder, cancellationToken: cancellationToken);
        using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromGray8(pixels, side, side), cancellationToken);
        float best = sam.Predict(embedding, Prompt.Point(side / 2, side / 2), cancellationToken: cancellationToken).Best.PredictedIou;
        return float.IsFinite(best)
            ? best
            : throw new CheckpointException($"The converted model gives {best} where it should predict an IoU: the checkpoint's weights are not usable, or too large for float16.");
    }
}
