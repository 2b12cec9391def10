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
        SortedList<int, CropStatistics> statistics = [];
        GeneratedMask[] masks = [.. Find(image, wholeImage, wholeImageTime, statistics, progress, cancellationToken).SelectMany(found => found)];
        return new GeneratedMasks(masks, image.Size, [.. statistics.Values], Stopwatch.GetElapsedTime(start) + wholeImageTime);
    }

    // The masks of each crop as soon as they are certain, in the order of the result; what had to wait comes last. Statistics are
    // added by the number of the crop.
    private IEnumerable<GeneratedMask[]> Find(
        PixelBuffer image,
        IEncodedCrop? wholeImage,
        TimeSpan wholeImageTime,
        SortedList<int, CropStatistics> statistics,
        IProgress<MaskGenerationProgress>? progress,
        CancellationToken cancellationToken)
    {
        using IEncodedCrop? disposedAtTheEnd = wholeImage;
        using Operation? operation = Operation.BeginGenerate(_encoder.ModelName, image);
        List<CropBox> crops = CropBoxes.Generate(image.Size, Options.CropLayers, Options.CropOverlapRatio);
        long points = Math.Max(crops.Sum(crop => (long)Options.PromptCount(_grids[crop.Layer].Length)), 1);
        long done = 0;
        int current = 0;
        var processor = new CropProcessor(Options, image.Size, _encoder.Threads)
        {
            BatchDone = count =>
            {
                done += count;
                operation?.AddPrompts(count);
                Report(MaskGenerationStage.Prompting);
            },
        };
        var certain = new CertainMasks(Options, betweenCrops: crops.Count > 1, _encoder.Threads);
        foreach (int number in CertainMasks.OrderOfWork(crops))
        {
            CropBox crop = crops[number];
            if (_grids[crop.Layer].Length > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var counts = new CropStatistics { CropBox = BoxOf(crop), Layer = crop.Layer };
                statistics.Add(number, counts);
                Report(MaskGenerationStage.Encoding);
                List<Candidate> candidates = Process(crop, counts);
                yield return Masks(certain.Add(candidates, cancellationToken));
            }

            current++;
        }

        current = crops.Count - 1;
        Report(MaskGenerationStage.Finishing);
        yield return Masks(certain.Complete());
        operation?.Succeed();
        Report(MaskGenerationStage.Done);

        // A crop's embedding lives no longer than this, whatever the consumer of the masks does meanwhile.
        List<Candidate> Process(CropBox crop, CropStatistics counts)
        {
            operation?.Resume();
            try
            {
                bool isEncoded = crop.Layer == 0 && wholeImage is not null;
                long before = Stopwatch.GetTimestamp();
                using IEncodedCrop? own = isEncoded ? null : _encoder.Encode(image.Crop(crop.X, crop.Y, crop.Width, crop.Height), cancellationToken);
                counts.EncodeTime = isEncoded ? wholeImageTime : Stopwatch.GetElapsedTime(before);
                return processor.Process(crop, own ?? wholeImage!, _grids[crop.Layer], counts, cancellationToken);
            }
            catch (Exception e)
            {
                operation?.Fail(e);
                throw;
            }
        }

        GeneratedMask[] Masks(List<Candidate> candidates)
        {
            operation?.AddMasks(candidates.Count);
            return [.. candidates.Select(ToMask)];
        }

        void Report(MaskGenerationStage stage) =>
            progress?.Report(new MaskGenerationProgress(stage, stage == MaskGenerationStage.Done ? 1 : (double)done / points, current, crops.Count));
    }

    private static GeneratedMask ToMask(Candidate candidate) => new(
        candidate.Mask, candidate.Area, candidate.Box, candidate.PredictedIou, candidate.StabilityScore,
        candidate.X, candidate.Y, BoxOf(candidate.Crop));

    private static Box BoxOf(CropBox crop) => new(crop.X, crop.Y, crop.X + crop.Width, crop.Y + crop.Height);
}
