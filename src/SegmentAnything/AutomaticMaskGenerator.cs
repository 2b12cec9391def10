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
        return Generate(image, SearchArea.Everywhere, progress, cancellationToken);
    }

    /// <summary>Finds the objects of a part of an image.</summary>
    /// <param name="image">Pixels in rows from the top, any size from 1x1.</param>
    /// <param name="area">Where to look.</param>
    /// <param name="progress">Told of every batch of points, on the thread that works.</param>
    /// <param name="cancellationToken">Stops the work after the model's run under way, and between masks.</param>
    /// <returns>As for the whole image; the masks have its size.</returns>
    /// <exception cref="ArgumentException">The image is the default value, without memory; or the area does not fit it.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public GeneratedMasks Generate(
        PixelBuffer image, SearchArea area, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        CheckImage(image);
        ArgumentNullException.ThrowIfNull(area);
        area.Validate(image.Size);
        return Generate(image, image.Size, area, null, TimeSpan.Zero, progress, cancellationToken);
    }

    /// <summary>Finds the objects of an image that is encoded already, such as one whose embedding was saved.</summary>
    /// <param name="embedding">The image. It is not disposed.</param>
    /// <param name="area">Where to look; null for everywhere.</param>
    /// <param name="progress">Told of every batch of points, on the thread that works.</param>
    /// <param name="cancellationToken">Stops the work after the model's run under way, and between masks.</param>
    /// <returns>What the image itself would give.</returns>
    /// <exception cref="InvalidOperationException">The options have layers of crops, which are encoded from pixels: give the image.</exception>
    /// <exception cref="ArgumentException">The area does not fit the image.</exception>
    /// <exception cref="ModelContractException">Another model made the embedding.</exception>
    /// <exception cref="ObjectDisposedException">The model or the embedding was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public GeneratedMasks Generate(
        ImageEmbedding embedding, SearchArea? area = null, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        if (Options.CropLayers > 0)
        {
            throw new InvalidOperationException(
                $"The options have {Options.CropLayers} layers of crops, which are encoded from the image's pixels: give the image, or options with CropLayers = 0.");
        }

        area ??= SearchArea.Everywhere;
        area.Validate(embedding.SourceSize);
        return Generate(default, embedding.SourceSize, area, _encoder.Use(embedding), TimeSpan.Zero, progress, cancellationToken);
    }

    private static void CheckImage(PixelBuffer image)
    {
        if (image.Width == 0) throw new ArgumentException("The image is empty: make it with one of PixelBuffer's methods.", nameof(image));
    }

    // The whole image may have been encoded before; it is disposed here.
    private GeneratedMasks Generate(
        PixelBuffer image,
        ImageSize size,
        SearchArea area,
        IEncodedCrop? wholeImage,
        TimeSpan wholeImageTime,
        IProgress<MaskGenerationProgress>? progress,
        CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        SortedList<int, CropStatistics> statistics = [];
        GeneratedMask[] masks = [.. Find(image, size, area, wholeImage, wholeImageTime, statistics, progress, cancellationToken).SelectMany(found => found)];
        return new GeneratedMasks(masks, size, [.. statistics.Values], Stopwatch.GetElapsedTime(start) + wholeImageTime);
    }

    // The masks of each crop as soon as they are certain, in the order of the result; what had to wait comes last. Statistics are
    // added by the number of the crop.
    private IEnumerable<GeneratedMask[]> Find(
        PixelBuffer image,
        ImageSize size,
        SearchArea area,
        IEncodedCrop? wholeImage,
        TimeSpan wholeImageTime,
        SortedList<int, CropStatistics> statistics,
        IProgress<MaskGenerationProgress>? progress,
        CancellationToken cancellationToken)
    {
        using IEncodedCrop? disposedAtTheEnd = wholeImage;
        using Operation? operation = Operation.BeginGenerate(_encoder.ModelName, size);
        List<CropGrid> grids = CropGrid.Of(size, _grids, Options, area);
        List<CropBox> crops = [.. grids.Select(grid => grid.Crop)];
        long points = Math.Max(grids.Sum(grid => (long)Options.PromptCount(grid.Points.Length)), 1);
        long done = 0;
        int current = 0;
        var processor = new CropProcessor(Options, size, area.Excluded, _encoder.Threads)
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
            if (grids[number].Points.Length > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var counts = new CropStatistics { CropBox = BoxOf(crop), Layer = crop.Layer };
                statistics.Add(number, counts);
                Report(MaskGenerationStage.Encoding);
                List<Candidate> candidates = Process(grids[number], counts);
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
        List<Candidate> Process(CropGrid grid, CropStatistics counts)
        {
            CropBox crop = grid.Crop;
            operation?.Resume();
            try
            {
                bool isEncoded = crop.Layer == 0 && wholeImage is not null;
                long before = Stopwatch.GetTimestamp();
                using IEncodedCrop? own = isEncoded ? null : _encoder.Encode(image.Crop(crop.X, crop.Y, crop.Width, crop.Height), cancellationToken);
                counts.EncodeTime = isEncoded ? wholeImageTime : Stopwatch.GetElapsedTime(before);
                return processor.Process(crop, own ?? wholeImage!, grid.Points, counts, cancellationToken);
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
