using System.Runtime.CompilerServices;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks.Tests;

/// <summary>
/// A model that paints: a disc of its radius around each point of the object, less those around points off it, or a box. Asked for
/// three masks it gives one of half, the same and double the radius, the last the most confident. It notes its prompts.
/// </summary>
internal sealed class PaintingSegmenter(double radius) : ISegmenter
{
    public List<(Prompt Prompt, MaskSelection Selection)> Prompts { get; } = [];

    public SamVariant Variant => SamModels.MobileSam;

    public ModelCapabilities Capabilities => throw new NotSupportedException();

    public static ImageEmbedding Embedding(int width, int height) => new(
        new float[4 * 8 * 8], [new FeatureMapShape(FeatureMapShape.Embedding, 4, 8)], new ImageFrame(new ImageSize(width, height), 128), "painting", "");

    public MaskPrediction Predict(ImageEmbedding embedding, Prompt prompt, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default)
    {
        Prompts.Add((prompt, selection));
        double[] radii = selection == MaskSelection.Multiple ? [radius / 2, radius, 2 * radius] : [radius];
        float[] logits = new float[256 * 256];
        return new MaskPrediction(radii.Select((r, i) => new PredictedMask(Paint(embedding.SourceSize, prompt, r), 0.5f + (i / 10f), lowResLogits: logits)));
    }

    public MaskPrediction[] Predict(
        ImageEmbedding embedding, IReadOnlyList<Prompt> prompts, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default) =>
        [.. prompts.Select(prompt => Predict(embedding, prompt, selection, cancellationToken))];

    public ImageEmbedding Encode(PixelBuffer image, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ImageEmbedding LoadEmbedding(Stream source) => throw new NotSupportedException();

    public GeneratedMasks GenerateMasks(
        PixelBuffer image, AutomaticMaskOptions? options = null, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public async IAsyncEnumerable<GeneratedMask> GenerateMasksAsync(
        PixelBuffer image, AutomaticMaskOptions? options = null, IProgress<MaskGenerationProgress>? progress = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask;
        yield break;
    }

    public void Dispose()
    {
    }

    private static RleMask Paint(ImageSize size, Prompt prompt, double radius)
    {
        byte[] pixels = new byte[size.Width * size.Height];
        for (int y = 0; y < size.Height; y++)
        {
            for (int x = 0; x < size.Width; x++)
            {
                bool on = prompt.BoxInSource is { } box && x >= box.X0 && x < box.X1 && y >= box.Y0 && y < box.Y1;
                foreach (PointPrompt point in prompt.Points)
                {
                    double dx = x + 0.5 - point.X, dy = y + 0.5 - point.Y;
                    if ((dx * dx) + (dy * dy) <= radius * radius) on = point.Label == PointLabel.Foreground;
                }

                pixels[(y * size.Width) + x] = on ? (byte)1 : (byte)0;
            }
        }

        return RleMask.FromBitmap(pixels, size.Width, size.Height);
    }
}
