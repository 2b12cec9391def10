using System.Diagnostics;
using SegmentAnything.Automatic;

namespace SegmentAnything;

/// <summary>Finds every object of an image without prompts from outside.</summary>
/// <remarks>
/// Prompts with a grid of points, and if wanted with grids over crops of the image, and keeps the masks that the model
/// is sure of, that have a firm edge, and that are no duplicates. One generator serves any number of threads and images.
/// Source: Segment Anything, automatic_mask_generator.py.
/// <code>
/// var generator = new AutomaticMaskGenerator(sam);
/// foreach (GeneratedMask mask in generator.Generate(PixelBuffer.FromRgb24(pixels, width, height))) ...
/// </code>
/// </remarks>
public sealed partial class AutomaticMaskGenerator
{
    private readonly ICropEncoder _encoder;
    private readonly (double X, double Y)[][] _grids;

    /// <summary>Makes a generator.</summary>
    /// <param name="model">A loaded model. The generator does not dispose it.</param>
    /// <param name="options">How to look for objects; by default as the reference does.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">There are not as many point grids as layers.</exception>
    public AutomaticMaskGenerator(SamModel model, AutomaticMaskOptions? options = null)
        : this((model ?? throw new ArgumentNullException(nameof(model))).Encoder, model.PromptEncoder, model.Decoder, options ?? model.AutomaticDefaults)
    {
    }

    /// <summary>Makes a generator of the parts of a model.</summary>
    /// <param name="imageEncoder">Pixels to embedding.</param>
    /// <param name="promptEncoder">Points to tokens.</param>
    /// <param name="maskDecoder">Embedding and tokens to masks.</param>
    /// <param name="options">How to look for objects; by default as the reference does.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">There are not as many point grids as layers.</exception>
    public AutomaticMaskGenerator(
        ImageEncoder imageEncoder, PromptEncoder promptEncoder, MaskDecoder maskDecoder, AutomaticMaskOptions? options = null)
        : this(
            new ModelCropEncoder(
                imageEncoder ?? throw new ArgumentNullException(nameof(imageEncoder)),
                promptEncoder ?? throw new ArgumentNullException(nameof(promptEncoder)),
                maskDecoder ?? throw new ArgumentNullException(nameof(maskDecoder))),
            options ?? AutomaticMaskOptions.Default)
    {
    }

    internal AutomaticMaskGenerator(ICropEncoder encoder, AutomaticMaskOptions options)
    {
        options.Validate();
        _encoder = encoder;
        Options = options;
        _grids = PointGrid.Of(options);
    }

    /// <summary>How it looks for objects.</summary>
    public AutomaticMaskOptions Options { get; }

    /// <summary>Finds the objects of one image.</summary>
    /// <param name="image">Pixels in rows from the top, any size from 1x1. Crops are encoded from these pixels, not from a resized copy.</param>
    /// <param name="progress">Told of every batch of points, on the thread that works.</param>
    /// <param name="cancellationToken">Stops the work after the model's run under way, and between masks.</param>
    /// <returns>The objects in the order of the reference: as suppression leaves them, best predicted IoU first within a crop.</returns>
    /// <exception cref="ArgumentException">The image is the default value, without memory.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>
    /// Memory beside the image and the model: one batch of low-resolution logits (<see cref="AutomaticMaskOptions.PointsPerBatch"/>
    /// x 3 x 256 x 256 floats) and the run lengths of candidates; masks are never held as pixels.
    /// </remarks>
    public GeneratedMasks Generate(
        PixelBuffer image, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        CheckImage(image);
        return Generate(image, null, TimeSpan.Zero, progress, cancellationToken);
    }

    private static void CheckImage(PixelBuffer image)
    {
        if (image.Width == 0) throw new ArgumentException("The image is empty: make it with one of PixelBuffer's methods.", nameof(image));
    }

    // The whole image may have been encoded before; it is disposed here.
    private GeneratedMasks Generate(
        PixelBuffer image,
        IEncodedCrop? wholeImage,
        TimeSpan wholeImageTime,
        IProgress<MaskGenerationProgress>? progress,
        CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        List<CropBox> crops = CropBoxes.Generate(image.Size, Options.CropLayers, Options.CropOverlapRatio);
        long points = Math.Max(crops.Sum(crop => (long)Options.PromptCount(_grids[crop.Layer].Length)), 1);
        long done = 0;
        int current = 0;
        var processor = new CropProcessor(Options, image.Size, _encoder.Threads)
        {
            BatchDone = count =>
            {
                done += count;
                Report(MaskGenerationStage.Prompting);
            },
        };

        List<Candidate> candidates = [];
        List<CropStatistics> statistics = [];
        try
        {
            for (; current < crops.Count; current++)
            {
                CropBox crop = crops[current];
                ReadOnlySpan<(double X, double Y)> grid = _grids[crop.Layer];
                if (grid.IsEmpty) continue;
                cancellationToken.ThrowIfCancellationRequested();
                var counts = new CropStatistics { CropBox = BoxOf(crop), Layer = crop.Layer };
                statistics.Add(counts);
                Report(MaskGenerationStage.Encoding);
                long before = Stopwatch.GetTimestamp();
                using IEncodedCrop encoded = current == 0 && wholeImage is not null
                    ? wholeImage
                    : _encoder.Encode(image.Crop(crop.X, crop.Y, crop.Width, crop.Height), cancellationToken);
                counts.EncodeTime = current == 0 && wholeImage is not null ? wholeImageTime : Stopwatch.GetElapsedTime(before);
                candidates.AddRange(processor.Process(crop, encoded, grid, counts, cancellationToken));
            }
        }
        finally
        {
            wholeImage?.Dispose();
        }

        current = Math.Max(crops.Count - 1, 0);
        Report(MaskGenerationStage.Finishing);
        if (crops.Count > 1) candidates = CandidateFilter.SuppressBetweenCrops(candidates, Options.CropNmsThreshold);
        if (Options.MinMaskRegionArea > 0)
        {
            candidates = CandidateFilter.RemoveSmallRegions(
                candidates, Options.MinMaskRegionArea, Math.Max(Options.BoxNmsThreshold, Options.CropNmsThreshold), _encoder.Threads, cancellationToken);
        }

        GeneratedMask[] masks = [.. candidates.Select(ToMask)];
        Report(MaskGenerationStage.Done);
        return new GeneratedMasks(masks, image.Size, statistics, Stopwatch.GetElapsedTime(start) + wholeImageTime);

        void Report(MaskGenerationStage stage) =>
            progress?.Report(new MaskGenerationProgress(stage, stage == MaskGenerationStage.Done ? 1 : (double)done / points, current, crops.Count));
    }

    private static GeneratedMask ToMask(Candidate candidate) => new(
        candidate.Mask, candidate.Area, candidate.Box, candidate.PredictedIou, candidate.StabilityScore,
        candidate.X, candidate.Y, BoxOf(candidate.Crop));

    private static Box BoxOf(CropBox crop) => new(crop.X, crop.Y, crop.X + crop.Width, crop.Y + crop.Height);
}
