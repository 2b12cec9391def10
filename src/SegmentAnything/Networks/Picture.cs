using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>Tokens in rows, [y][x][channel], in the memory that a run has for its pictures.</summary>
/// <param name="Width">Tokens of a row.</param>
/// <param name="Height">Rows.</param>
/// <param name="Channels">Values of a token.</param>
/// <param name="Offset">Where it begins, in floats.</param>
internal sealed record Picture(int Width, int Height, int Channels, long Offset)
{
    /// <summary>Floats from one token to the next.</summary>
    public int Stride => EncoderKernels.Padded(Channels);

    /// <summary>Floats from one row to the next.</summary>
    public nint RowStride => (nint)Width * Stride;

    /// <summary>Floats in all.</summary>
    public long Length => (long)Height * RowStride;
}

/// <summary>Gives pictures their places: those that are needed at the same time lie beside each other, others share.</summary>
internal sealed class PicturePlan
{
    private readonly List<Picture> _live = [];

    /// <summary>Floats that all of them need.</summary>
    public long Length { get; private set; }

    /// <summary>A place for a picture: the first gap that is large enough.</summary>
    public Picture Take(int width, int height, int channels)
    {
        Picture picture = new(width, height, channels, 0);
        foreach (Picture other in _live)
        {
            if (picture.Offset + picture.Length <= other.Offset) break;
            picture = picture with { Offset = other.Offset + other.Length };
        }

        _live.Insert(_live.TakeWhile(other => other.Offset < picture.Offset).Count(), picture);
        Length = Math.Max(Length, picture.Offset + picture.Length);
        return picture;
    }

    /// <summary>The phases that are added from here on do not need it.</summary>
    public void Release(Picture picture) => _live.Remove(picture);
}
