using SegmentAnything.Rle;

namespace SegmentAnything.Text;

/// <summary>A mask that belongs to a text.</summary>
/// <param name="Mask">The mask, at the size of the image.</param>
/// <param name="Probability">How likely the text is for it, among the text and what it is told from; 0 to 1.</param>
/// <param name="Similarity">The cosine of its picture and the text.</param>
public sealed record FoundMask(RleMask Mask, double Probability, double Similarity);

/// <summary>How masks are searched for by text.</summary>
public sealed record TextSearchOptions
{
    /// <summary>The defaults.</summary>
    public static TextSearchOptions Default { get; } = new();

    /// <summary>What the text is told from, beside "an object", "background" and "a texture".</summary>
    public IReadOnlyList<string> Not { get; init; } = [];

    /// <summary>Sentences around the text; {0} stands for it. The text's embedding is the mean of theirs.</summary>
    public IReadOnlyList<string> Templates { get; init; } = ["a photo of a {0}", "a close-up of a {0}", "{0}"];

    /// <summary>A mask must have at least this probability. Default 0.5.</summary>
    public double LeastProbability { get; init; } = 0.5;

    /// <summary>How much less alike than the best mask one may be. Default 0.02.</summary>
    public double GreatestGap { get; init; } = 0.02;

    /// <summary>Masks of a smaller part of the image are not looked at. Default 0.0005.</summary>
    public double LeastArea { get; init; } = 0.0005;

    /// <summary>How the masks are found among which it is searched; a third of the grid's points is enough.</summary>
    public AutomaticMaskOptions Masks { get; init; } = new() { PromptFraction = 1 / 3.0 };

    /// <summary>Whether each mask is put right by the model, prompted with its box, its centre and the mask. Default true.</summary>
    public bool Refine { get; init; } = true;

    internal void Check()
    {
        if (Templates.Count == 0) throw new ArgumentException("There is no template. Give {0} for the text alone.");
        if (!(LeastProbability >= 0 && LeastProbability <= 1)) throw new ArgumentOutOfRangeException(nameof(LeastProbability), LeastProbability, "LeastProbability is 0 to 1.");
        if (!(GreatestGap >= 0)) throw new ArgumentOutOfRangeException(nameof(GreatestGap), GreatestGap, "GreatestGap is 0 or more.");
        if (!(LeastArea >= 0 && LeastArea <= 1)) throw new ArgumentOutOfRangeException(nameof(LeastArea), LeastArea, "LeastArea is 0 to 1.");
    }
}

/// <summary>Masks from text: all masks of an image are found, and a model of words and pictures chooses among them.</summary>
/// <remarks>
/// The paper's own text-to-mask model (section 7.5), which takes a text as a prompt, was never published. Each mask is shown twice: the
/// square around it as it is, and with all else in the colour that says nothing. The second is what keeps a large thing from winning by
/// what stands before it.
/// </remarks>
public static class TextSearch
{
    private const int PicturesPerBatch = 32;
    private const double CropGrowth = 1.2;

    // What CLIP was trained to multiply similarities with.
    private const double Scale = 100;

    // A mask of which so much lies in a better one is a part of it.
    private const double PartOf = 0.85;

    private static readonly string[] Negatives = ["a photo of an object", "background", "a texture"];

    /// <summary>Finds the masks that a text is about.</summary>
    /// <param name="sam">The model that finds masks.</param>
    /// <param name="model">The model of words and pictures.</param>
    /// <param name="image">The image.</param>
    /// <param name="text">What is looked for, such as "a red cup".</param>
    /// <param name="options">How; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the work between two steps.</param>
    /// <returns>The masks, the likeliest first; none when nothing is like the text.</returns>
    /// <exception cref="ArgumentException">The text is empty, or an option makes no sense.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IReadOnlyList<FoundMask> Find(
        SamModel sam, ITextImageModel model, PixelBuffer image, string text, TextSearchOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sam);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        options ??= TextSearchOptions.Default;
        options.Check();
        using ImageEmbedding embedding = sam.Encode(image, cancellationToken);
        RleMask[] masks = [.. new AutomaticMaskGenerator(sam, options.Masks).Generate(embedding, cancellationToken: cancellationToken).Select(mask => mask.Mask)];
        IReadOnlyList<FoundMask> found = Choose(model, image, masks, text, options, cancellationToken);
        return options.Refine ? [.. found.Select(mask => Refined(sam, embedding, mask, cancellationToken))] : found;
    }

    /// <summary>Chooses among masks that are there already.</summary>
    /// <param name="model">The model of words and pictures.</param>
    /// <param name="image">The image.</param>
    /// <param name="masks">Masks of its size.</param>
    /// <param name="text">What is looked for.</param>
    /// <param name="options">How; the defaults when null.</param>
    /// <param name="cancellationToken">Ends the work between two batches.</param>
    /// <returns>Those that the text is about, the likeliest first; of a whole and its parts only the likeliest.</returns>
    /// <exception cref="ArgumentException">The text is empty, a mask has another size than the image, or an option makes no sense.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static IReadOnlyList<FoundMask> Choose(
        ITextImageModel model, PixelBuffer image, IReadOnlyList<RleMask> masks, string text, TextSearchOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(masks);
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        options ??= TextSearchOptions.Default;
        options.Check();
        if (masks.FirstOrDefault(mask => mask.Width != image.Width || mask.Height != image.Height) is { } other)
            throw new ArgumentException($"A mask has {other.Width}x{other.Height} pixels, but the image has {image.Size}.", nameof(masks));
        RleMask[] large = [.. masks.Where(mask => !mask.IsEmpty && mask.Area >= options.LeastArea * image.Width * image.Height)];
        if (large.Length == 0) return [];

        float[] wanted = Mean(model.EmbedTexts([.. options.Templates.Select(template => template.Replace("{0}", text, StringComparison.Ordinal))], cancellationToken));
        float[][] others = model.EmbedTexts([.. Negatives, .. options.Not], cancellationToken);
        PixelBuffer rgb = image.ResizeToRgb(image.Width, image.Height);
        var scored = new List<FoundMask>(large.Length);
        for (int start = 0; start < large.Length; start += PicturesPerBatch / 2)
        {
            cancellationToken.ThrowIfCancellationRequested();
            RleMask[] batch = large[start..Math.Min(start + (PicturesPerBatch / 2), large.Length)];
            float[][] seen = model.EmbedPictures([.. batch.SelectMany(mask => Views(rgb, mask, model.MeanColour))], cancellationToken);
            for (int i = 0; i < batch.Length; i++)
            {
                double similarity = (Cosine(seen[2 * i], wanted) + Cosine(seen[(2 * i) + 1], wanted)) / 2;
                double sum = 1;
                foreach (float[] negative in others)
                    sum += Math.Exp(Scale * (((Cosine(seen[2 * i], negative) + Cosine(seen[(2 * i) + 1], negative)) / 2) - similarity));
                scored.Add(new FoundMask(batch[i], 1 / sum, similarity));
            }
        }

        double best = scored.Max(mask => mask.Similarity);
        var kept = new List<FoundMask>();
        foreach (FoundMask mask in scored.Where(mask => mask.Probability >= options.LeastProbability && mask.Similarity >= best - options.GreatestGap)
            .OrderByDescending(mask => mask.Similarity))
        {
            bool isPart = kept.Any(better => mask.Mask.IntersectionArea(better.Mask) > PartOf * Math.Min(mask.Mask.Area, better.Mask.Area));
            if (!isPart) kept.Add(mask);
        }

        return kept;
    }

    private static FoundMask Refined(SamModel sam, ImageEmbedding embedding, FoundMask mask, CancellationToken cancellationToken)
    {
        MaskBox box = mask.Mask.BoundingBox;
        (int x, int y) = mask.Mask.LargestInscribedPoint(out _);
        Prompt prompt = Prompt.Box(box.X, box.Y, box.Right, box.Bottom).AndPoint(x + 0.5f, y + 0.5f).AndMask(mask.Mask);
        using MaskPrediction prediction = sam.Predict(embedding, prompt, cancellationToken: cancellationToken);
        return mask with { Mask = prediction.Best.Mask };
    }

    // The square around a mask, grown and moved into the image where it can be, as it is and with all else in one colour.
    private static IEnumerable<PixelBuffer> Views(PixelBuffer rgb, RleMask mask, (byte R, byte G, byte B) colour)
    {
        MaskBox box = mask.BoundingBox;
        int side = Math.Max(1, (int)Math.Ceiling(CropGrowth * Math.Max(box.Width, box.Height)));
        int left = Place(box.X + (box.Width / 2.0), side, rgb.Width), top = Place(box.Y + (box.Height / 2.0), side, rgb.Height);
        byte[] whole = new byte[3 * side * side], alone = new byte[whole.Length];
        byte[] inside = mask.Pad(Math.Max(0, -left), Math.Max(0, -top), Math.Max(0, left + side - rgb.Width), Math.Max(0, top + side - rgb.Height))
            .Crop(new MaskBox(Math.Max(0, left), Math.Max(0, top), side, side)).ToBitmap();
        ReadOnlySpan<byte> pixels = rgb.Memory.Span;
        for (int y = 0; y < side; y++)
        {
            for (int x = 0; x < side; x++)
            {
                int to = 3 * ((y * side) + x), u = left + x, v = top + y;
                bool there = (uint)u < (uint)rgb.Width && (uint)v < (uint)rgb.Height;
                (whole[to], whole[to + 1], whole[to + 2]) = there ? At(pixels, (v * rgb.Stride) + (3 * u)) : colour;
                (alone[to], alone[to + 1], alone[to + 2]) = there && inside[(y * side) + x] != 0 ? At(pixels, (v * rgb.Stride) + (3 * u)) : colour;
            }
        }

        return [PixelBuffer.FromRgb24(whole, side, side), PixelBuffer.FromRgb24(alone, side, side)];

        static (byte R, byte G, byte B) At(ReadOnlySpan<byte> pixels, int at) => (pixels[at], pixels[at + 1], pixels[at + 2]);
    }

    // Where a stretch around a centre begins: within the image when it fits, else around it.
    private static int Place(double centre, int side, int size)
    {
        int start = (int)Math.Round(centre - (side / 2.0));
        return side <= size ? Math.Clamp(start, 0, size - side) : (size - side) / 2;
    }

    private static float[] Mean(float[][] embeddings)
    {
        float[] mean = new float[embeddings[0].Length];
        foreach (float[] embedding in embeddings)
        {
            for (int i = 0; i < mean.Length; i++) mean[i] += embedding[i];
        }

        double length = Math.Sqrt(mean.Sum(value => (double)value * value));
        return length > 0 ? [.. mean.Select(value => (float)(value / length))] : mean;
    }

    private static double Cosine(float[] a, float[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += (double)a[i] * b[i];
        return sum;
    }
}
