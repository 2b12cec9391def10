namespace SegmentAnything.Text;

/// <summary>A model that puts words and pictures into one space, where what belongs together is near.</summary>
public interface ITextImageModel
{
    /// <summary>Numbers of an embedding.</summary>
    int Dimension { get; }

    /// <summary>The colour that says nothing to the model: the mean of its training pictures.</summary>
    (byte R, byte G, byte B) MeanColour { get; }

    /// <summary>Embeds texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>An embedding a text, of length 1.</returns>
    float[][] EmbedTexts(IReadOnlyList<string> texts, CancellationToken cancellationToken = default);

    /// <summary>Embeds pictures, in one batch.</summary>
    /// <param name="pictures">Pictures of any size.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>An embedding a picture, of length 1.</returns>
    float[][] EmbedPictures(IReadOnlyList<PixelBuffer> pictures, CancellationToken cancellationToken = default);
}
