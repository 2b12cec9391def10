using SegmentAnything.Decoding;
using SegmentAnything.Families;
using SegmentAnything.Loading;

namespace SegmentAnything;

/// <summary>Turns points, boxes and rough masks into what the mask decoder reads.</summary>
/// <remarks>
/// Points and boxes are plain arithmetic; a mask goes through three small convolutions.
/// Safe to use from several threads. Source: Segment Anything, modeling/prompt_encoder.py.
/// </remarks>
public sealed class PromptEncoder : IDisposable
{
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
    /// <param name="prompt">Points and box in source-image pixels; points may lie on the image's right and bottom edge.</param>
    /// <param name="sourceSize">The size of the image, in pixels; see <see cref="ImageEmbedding.SourceSize"/>.</param>
    /// <param name="cancellationToken">Stops the encoding of a mask.</param>
    /// <returns>
    /// The tokens in the order of the reference: points, then either the box's two corners or one token of padding.
    /// </returns>
    /// <exception cref="ArgumentException">The prompt is empty, or its mask has another size than <see cref="MaskSize"/> squared.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A point or a corner of the box lies outside the image.</exception>
    /// <exception cref="ModelContractException">The prompt has a box or a mask, and the decoder's file was exported for points alone.</exception>
    /// <exception cref="ObjectDisposedException">The encoder was disposed.</exception>
    public EncodedPrompt Encode(Prompt prompt, ImageSize sourceSize, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int count = TokenCount(prompt);
        float[] tokens = new float[count * Channels];
        float[] dense = prompt.MaskLogits.IsEmpty ? _noMask : new float[DenseLength];
        Encode(prompt, sourceSize, tokens, dense, cancellationToken);
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
    /// <param name="cancellationToken">Stops the encoding of a mask.</param>
    internal void Encode(Prompt prompt, ImageSize sourceSize, Span<float> tokens, Memory<float> dense, CancellationToken cancellationToken)
    {
        using UseGate.Use use = _gate.Enter(this);
        if (prompt.IsEmpty) throw new ArgumentException("The prompt is empty: give a point, a box or a mask.", nameof(prompt));
        CheckCapabilities(prompt);
        CheckInside(prompt, sourceSize);
        WriteTokens(prompt, sourceSize, tokens);
        if (!prompt.MaskLogits.IsEmpty) EncodeMask(prompt.MaskLogits, dense, cancellationToken);
    }

    internal int TokenCount(Prompt prompt) => _tokens.Count(prompt.Points.Length, prompt.BoxInSource is not null);

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

    private void CheckCapabilities(Prompt prompt)
    {
        if (prompt.BoxInSource is not null && !Capabilities.Boxes) throw Lacks("a box", "the corners of boxes");
        if (!prompt.MaskLogits.IsEmpty && !Capabilities.MaskPrompts) throw Lacks("a mask", "mask prompts");
        int points = prompt.Points.Length + (prompt.BoxInSource is null ? 0 : 2);
        if (Capabilities.MostPoints is { } most && points > most)
        {
            throw new ArgumentException(
                $"The prompt has {points} points, a box counting as two; this model takes {most} at most. Give the {most} that tell most.", nameof(prompt));
        }

        if (!Capabilities.NegativePoints && prompt.Points.Any(point => point.Label == PointLabel.Background))
        {
            throw new ArgumentException(
                "The prompt has a background point, and this model was trained without them: leave it out, or give a box.", nameof(prompt));
        }
    }

    private ModelContractException Lacks(string prompt, string weights) => new(
        $"The prompt has {prompt}, but {_source} has no weights for {weights}: {(Capabilities.Boxes ? "this model takes none" : "it was exported for points alone")}. "
        + $"Prompt with {(Capabilities.Boxes ? "points and boxes" : "points, or load the checkpoint that it was exported from")}.");

    private static void CheckInside(Prompt prompt, ImageSize size)
    {
        foreach (PointPrompt point in prompt.Points)
        {
            if (point.X < 0 || point.Y < 0 || point.X > size.Width || point.Y > size.Height)
            {
                throw new ArgumentOutOfRangeException(nameof(prompt),
                    $"The point ({point.X}, {point.Y}) lies outside the image of {size} pixels: x is 0 to {size.Width}, y is 0 to {size.Height}, in pixels of the source image.");
            }
        }

        if (prompt.BoxInSource is { } box && (box.X0 < 0 || box.Y0 < 0 || box.X1 > size.Width || box.Y1 > size.Height))
        {
            throw new ArgumentOutOfRangeException(nameof(prompt),
                $"The box ({box.X0}, {box.Y0})-({box.X1}, {box.Y1}) does not lie within the image of {size} pixels: clip it to (0, 0)-({size.Width}, {size.Height}).");
        }
    }

    private void WriteTokens(Prompt prompt, ImageSize sourceSize, Span<float> tokens)
    {
        ImageFrame frame = _frame.Of(sourceSize);
        int next = 0;
        foreach (PointPrompt point in prompt.Points)
            WriteToken(point.X, point.Y, frame, (int)point.Label, tokens.Slice(Channels * next++, Channels));

        if (prompt.BoxInSource is { } box)
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
