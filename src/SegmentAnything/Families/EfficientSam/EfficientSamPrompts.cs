using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>
/// Turns points and boxes into EfficientSAM's tokens: always six, each the positional encoding of its place plus what its
/// label stands for.
/// </summary>
/// <remarks>
/// A point beside the object has a place but no embedding of its own: the network was not trained with such points. Padding
/// lies at (-1, -1) and keeps the encoding of that place. Source: EfficientSAM, efficient_sam/efficient_sam.py (get_rescaled_pts),
/// efficient_sam_decoder.py (PromptEncoder).
/// </remarks>
internal sealed class EfficientSamPrompts
{
    private readonly float[] _matrix;
    private readonly float[] _padding;
    private readonly float[] _point;
    private readonly float[] _topLeft;
    private readonly float[] _bottomRight;
    private readonly int _imageSize;

    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What they are of.</param>
    /// <param name="imageSize">Side of the square that the encoder takes, in pixels.</param>
    public EfficientSamPrompts(StateDict weights, EfficientSamDecoderLayout layout, int imageSize)
    {
        _imageSize = imageSize;
        Channels = layout.Channels;
        _matrix = weights.ReadAny(PositionalEncoding.MatrixName);
        _padding = Table("invalid_points");
        _point = Table("point_embeddings");
        _topLeft = Table("bbox_top_left_embeddings");
        _bottomRight = Table("bbox_bottom_right_embeddings");

        float[] Table(string name) => weights.Read($"{EfficientSamDecoderLayout.Prompts}{name}.weight", 1, layout.Channels);
    }

    /// <summary>Values of a token.</summary>
    public int Channels { get; }

    /// <summary>Writes six tokens.</summary>
    /// <param name="points">
    /// Six at most, in pixels of the encoder's square, and their labels: 1 on the object, 0 beside it, 2 and 3 the corners of a
    /// box, -1 padding.
    /// </param>
    /// <param name="tokens">6 x channels.</param>
    public void Write(ReadOnlySpan<(float X, float Y, int Label)> points, Span<float> tokens)
    {
        for (int i = 0; i < EfficientSamDecoderLayout.Points; i++)
        {
            (float x, float y, int label) = i < points.Length ? points[i] : (-1, -1, -1);
            Span<float> token = tokens.Slice(i * Channels, Channels);
            PositionalEncoding.Encode(_matrix, (x + 0.5f) / _imageSize, (y + 0.5f) / _imageSize, token);
            ReadOnlySpan<float> table = label switch { -1 => _padding, 1 => _point, 2 => _topLeft, 3 => _bottomRight, _ => [] };
            for (int c = 0; c < table.Length; c++) token[c] += table[c];
        }
    }
}
