using SegmentAnything.Decoding;
using SegmentAnything.Families;
using SegmentAnything.Loading;
using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>Turns points, boxes and rough masks into what the mask decoder reads.</summary>
/// <remarks>
/// Points and boxes are plain arithmetic; a mask goes through three small convolutions.
/// Safe to use from several threads. Source: Segment Anything, modeling/prompt_encoder.py.
/// </remarks>
public sealed class PromptEncoder : IDisposable
{
    /// <summary>
    /// How far an edge of a box may lie outside the image, as a part of the image's width or height: detectors give such boxes, and
    /// they are clipped. What lies farther out is more likely of another image, or in other units, and is an error.
    /// </summary>
    public const double BoxTolerance = 0.05;

    private readonly PromptTokens _tokens;
    private readonly float[] _noMask;
    private readonly MaskPromptNetwork? _maskNetwork;
    private readonly ModelFrame _frame;
    private readonly string _source;
    private readonly int _grid;
    private readonly UseGate _gate = new();

    /// <summary>Loads the prompt encoder of a model.</summary>
    /// <param name="variant">Which model it is.</param>
    /// <param name="files">Where its files are.</param>
    /// <param name="options">Its <see cref="SamOptions.Specification"/> counts: all of it is computed here, whatever the execution provider.</param>
    /// <exception cref="ModelNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">The decoder's file is damaged or not of a known layout.</exception>
    public PromptEncoder(SamVariant variant, ModelFiles files, SamOptions? options = null)
        : this(OpenedModel.Open(variant, files, options?.Specification))
    {
    }

    private PromptEncoder(OpenedModel opened)
        : this(opened.Model, opened)
    {
    }

    /// <summary>Loads the prompt encoder of a model that was recognised.</summary>
    internal PromptEncoder(FamilyModel model, IDisposable? disposedAfterwards = null)
    {
        using (disposedAfterwards)
        {
            _source = model.Weights.Source;
            _frame = model.Frame;
            _grid = model.Features[0].Side;
            _tokens = model.ReadPromptTokens();
            _noMask = model.ReadWithoutMask();
            Capabilities = model.Capabilities;
            MaskSize = model.LowResSize;
            _maskNetwork = model.ReadMaskPrompt();
        }
    }

    /// <summary>What the model can be prompted with.</summary>
    public ModelCapabilities Capabilities { get; }

    /// <summary>The side of a mask prompt, in pixels: 256.</summary>
    public int MaskSize { get; }

    /// <summary>The values that stand at every image position where there is no mask prompt.</summary>
    internal float[] NoMaskDense => _noMask;

    internal int Channels => _tokens.Channels;

    /// <summary>Values of an encoded mask: channels x grid x grid.</summary>
    internal int DenseLength => Channels * _grid * _grid;

    /// <summary>Encodes a prompt for images of a size.</summary>
    /// <param name="prompt">
    /// Points, box and binary mask in source-image pixels; points may lie on the image's right and bottom edge, boxes a little
    /// outside (<see cref="BoxTolerance"/>).
    /// </param>
    /// <param name="sourceSize">The size of the image, in pixels; see <see cref="ImageEmbedding.SourceSize"/>.</param>
    /// <param name="cancellationToken">Stops the encoding of a mask.</param>
    /// <returns>
    /// The tokens in the order of the reference: points, then either the box's two corners or one token of padding.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The prompt is empty, its logits are not <see cref="MaskSize"/> squared, or its binary mask has not the shape of the image.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A point lies outside the image, or the box farther than its tolerance.</exception>
    /// <exception cref="ModelContractException">The prompt has a box or a mask, and the decoder's file was exported for points alone.</exception>
    /// <exception cref="ObjectDisposedException">The encoder was disposed.</exception>
    public EncodedPrompt Encode(Prompt prompt, ImageSize sourceSize, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return Encode(prompt, sourceSize, -1, cancellationToken);
    }

    /// <summary>Encodes one of several prompts.</summary>
    /// <param name="prompt">As for the public method.</param>
    /// <param name="sourceSize">The size of the image, in pixels.</param>
    /// <param name="number">Its place among them, from 0, for messages; -1 where it is the only one.</param>
    /// <param name="cancellationToken">Stops the encoding of a mask.</param>
    internal EncodedPrompt Encode(Prompt prompt, ImageSize sourceSize, int number, CancellationToken cancellationToken)
    {
        int count = TokenCount(prompt);
        float[] tokens = new float[count * Channels];
        float[] dense = prompt.HasMask ? new float[DenseLength] : _noMask;
        Encode(prompt, sourceSize, tokens, dense, number, cancellationToken);
        return new EncodedPrompt(tokens, count, dense, prompt.IsAmbiguous, sourceSize);
    }

    /// <summary>Lets no further call in.</summary>
    public void Dispose()
    {
        _gate.Close();
    }

    /// <summary>Encodes a prompt into the caller's memory.</summary>
    /// <param name="prompt">As for the public method.</param>
    /// <param name="sourceSize">The size of the image, in pixels.</param>
    /// <param name="tokens"><see cref="TokenCount"/> x channels values are written.</param>
    /// <param name="dense">Channels x grid x grid values are written where the prompt has a mask; it is not looked at otherwise.</param>
    /// <param name="number">The prompt's place among several, from 0, for messages; -1 where it is the only one.</param>
    /// <param name="cancellationToken">Stops the encoding of a mask.</param>
    internal void Encode(Prompt prompt, ImageSize sourceSize, Span<float> tokens, Memory<float> dense, int number, CancellationToken cancellationToken)
    {
        using UseGate.Use use = _gate.Enter(this);
        string which = number < 0 ? "" : $"Prompt {number}: ";
        if (prompt.IsEmpty) throw new ArgumentException($"{which}The prompt is empty: give a point, a box or a mask.", nameof(prompt));
        CheckCapabilities(prompt, which);
        CheckPoints(prompt, sourceSize, which);
        if (prompt.MaskInSource is { } mask) CheckShape(mask, sourceSize, which);
        Box? box = prompt.BoxInSource is { } given ? Clip(given, sourceSize, which) : BoxOf(prompt.MaskInSource, sourceSize);
        WriteTokens(prompt, box, sourceSize, tokens);
        if (prompt.HasMask) EncodeMask(LogitsOf(prompt, sourceSize, cancellationToken), dense, cancellationToken);
    }

    private ReadOnlyMemory<float> LogitsOf(Prompt prompt, ImageSize sourceSize, CancellationToken cancellationToken)
    {
        if (prompt.MaskInSource is not { } mask) return prompt.MaskLogits;
        ImageFrame frame = _frame.Of(sourceSize);
        return MaskPromptLogits.Of(mask, frame, MaskSize, _frame.CreateUpscaler(frame, MaskSize), cancellationToken);
    }

    internal int TokenCount(Prompt prompt) => _tokens.Count(prompt.Points.Length, HasBox(prompt));

    /// <summary>Tokens of a single point: what <see cref="WritePoint"/> writes.</summary>
    internal int TokensOfPoint => _tokens.Count(1, hasBox: false);

    /// <summary>
    /// Writes the tokens of one foreground point and its padding, as the automatic generator prompts:
    /// <see cref="TokensOfPoint"/> x channels.
    /// </summary>
    internal void WritePoint(double x, double y, in ImageFrame frame, Span<float> tokens)
    {
        WriteToken(x, y, frame, (int)PointLabel.Foreground, tokens[..Channels]);
        Pad(tokens[Channels..]);
    }

    private void CheckCapabilities(Prompt prompt, string which)
    {
        if (prompt.BoxInSource is not null && !Capabilities.Boxes) throw Lacks("a box", "the corners of boxes", which);
        if (prompt.HasMask && !Capabilities.MaskPrompts) throw Lacks("a mask", "mask prompts", which);
        int points = prompt.Points.Length + (HasBox(prompt) ? 2 : 0);
        if (Capabilities.MostPoints is { } most && points > most)
        {
            throw new ArgumentException(
                $"{which}The prompt has {points} points, a box counting as two; this model takes {most} at most. Give the {most} that tell most.", nameof(prompt));
        }

        if (!Capabilities.NegativePoints && prompt.Points.Any(point => point.Label == PointLabel.Background))
        {
            throw new ArgumentException(
                $"{which}The prompt has a background point, and this model was trained without them: leave it out, or give a box.", nameof(prompt));
        }
    }

    private ModelContractException Lacks(string prompt, string weights, string which) => new(
        $"{which}The prompt has {prompt}, but {_source} has no weights for {weights}: {(Capabilities.Boxes ? "this model takes none" : "it was exported for points alone")}. "
        + $"Prompt with {(Capabilities.Boxes ? "points and boxes" : "points, or load the checkpoint that it was exported from")}.");

    private static void CheckPoints(Prompt prompt, ImageSize size, string which)
    {
        foreach (PointPrompt point in prompt.Points)
        {
            if (point.X < 0 || point.Y < 0 || point.X > size.Width || point.Y > size.Height)
            {
                throw new ArgumentOutOfRangeException(nameof(prompt),
                    $"{which}The point ({point.X}, {point.Y}) lies outside the image of {size} pixels: x is 0 to {size.Width}, y is 0 to {size.Height}, in pixels of the source image.");
            }
        }
    }

    private static Box Clip(Box box, ImageSize size, string which)
    {
        double across = BoxTolerance * size.Width, down = BoxTolerance * size.Height;
        if (box.X0 < -across || box.Y0 < -down || box.X1 > size.Width + across || box.Y1 > size.Height + down
            || box.X1 < 0 || box.Y1 < 0 || box.X0 > size.Width || box.Y0 > size.Height)
        {
            throw new ArgumentOutOfRangeException(nameof(box),
                $"{which}The box {box} does not lie within the image of {size} pixels, nor within the {100 * BoxTolerance} % around it that are clipped here: "
                + $"clip it to (0, 0)-({size.Width}, {size.Height}), in pixels of the source image.");
        }

        return new Box(Math.Max(box.X0, 0), Math.Max(box.Y0, 0), Math.Min(box.X1, size.Width), Math.Min(box.Y1, size.Height));
    }

    // A binary mask brings its box along.
    private static bool HasBox(Prompt prompt) => prompt.BoxInSource is not null || prompt.MaskInSource is not null;

    private static Box? BoxOf(RleMask? mask, ImageSize size)
    {
        if (mask is null) return null;
        MaskBox box = mask.BoundingBox;
        double across = (double)size.Width / mask.Width, down = (double)size.Height / mask.Height;
        return new Box((float)(box.X * across), (float)(box.Y * down), (float)(box.Right * across), (float)(box.Bottom * down));
    }

    // A mask of another image would be stretched to no use: one side may be off by its rounding to whole pixels.
    private static void CheckShape(RleMask mask, ImageSize size, string which)
    {
        double height = (double)mask.Width * size.Height / size.Width, width = (double)mask.Height * size.Width / size.Height;
        if (Math.Abs(mask.Height - height) > 1 && Math.Abs(mask.Width - width) > 1)
        {
            throw new ArgumentException(
                $"{which}The mask of {mask.Width}x{mask.Height} pixels has not the shape of the image of {size}: give a mask of the whole image, of its size or scaled.", nameof(mask));
        }
    }

    private void WriteTokens(Prompt prompt, Box? boxInSource, ImageSize sourceSize, Span<float> tokens)
    {
        ImageFrame frame = _frame.Of(sourceSize);
        int next = 0;
        foreach (PointPrompt point in prompt.Points)
            WriteToken(point.X, point.Y, frame, (int)point.Label, tokens.Slice(Channels * next++, Channels));

        if (boxInSource is { } box)
        {
            WriteToken(box.X0, box.Y0, frame, 2, tokens.Slice(Channels * next++, Channels));
            WriteToken(box.X1, box.Y1, frame, 3, tokens.Slice(Channels * next++, Channels));
        }

        Pad(tokens[(Channels * next)..]);
    }

    private void Pad(Span<float> tokens)
    {
        for (; !tokens.IsEmpty; tokens = tokens[Channels..]) _tokens.Nothing.CopyTo(tokens);
    }

    /// <summary>The positional encoding of a pixel's centre plus the embedding of what it is.</summary>
    private void WriteToken(double x, double y, in ImageFrame frame, int label, Span<float> token)
    {
        // Scaled in double precision, then single, as the reference does it.
        (double modelX, double modelY) = frame.ToModel(x, y);
        if (_tokens.AsTheyAre)
        {
            token.Clear();
            (token[0], token[1], token[2]) = ((float)modelX, (float)modelY, label);
            return;
        }

        PositionalEncoding.Encode(_tokens.GaussianMatrix, ((float)modelX + 0.5f) / _frame.Side, ((float)modelY + 0.5f) / _frame.Side, token);
        ReadOnlySpan<float> embedding = _tokens.Labels[label];
        for (int i = 0; i < token.Length; i++) token[i] += embedding[i];
    }

    /// <summary>Encodes a rough mask: <see cref="DenseLength"/> values are written.</summary>
    internal void EncodeMask(ReadOnlyMemory<float> logits, Memory<float> dense, CancellationToken cancellationToken)
    {
        if (logits.Length != MaskSize * MaskSize)
        {
            throw new ArgumentException(
                $"The mask prompt has {logits.Length} values, expected {MaskSize} x {MaskSize} = {MaskSize * MaskSize} low-resolution logits in the model's padded frame, as a prediction gives them.",
                nameof(logits));
        }

        foreach (float logit in logits.Span)
        {
            if (!float.IsFinite(logit)) throw new ArgumentException($"The mask prompt holds {logit}: all logits must be finite numbers.", nameof(logits));
        }

        _maskNetwork!.Encode(logits.Span, dense.Span, cancellationToken);
    }
}
