namespace SegmentAnything.Decoding;

/// <summary>One decode in progress, with all the memory it needs: used by one call at a time, and kept for the next.</summary>
internal abstract unsafe class TiledDecoding : IDisposable
{
    /// <summary>Fills a grid's maps.</summary>
    public abstract void Prepare(TiledGrid grid);

    /// <summary>Fills an image's maps.</summary>
    /// <param name="image">What to fill.</param>
    /// <param name="features">Channels x grid x grid, and the other maps of <see cref="TiledDecoderWeights.ValuesPerPosition"/>.</param>
    /// <param name="dense">One value a channel, or one for every value of the embedding.</param>
    /// <param name="denseIsUniform">Is it one value a channel?</param>
    /// <param name="cancellationToken">Ends the work between tiles.</param>
    /// <returns>False: what was to be an encoded mask is none, and the image is of no use.</returns>
    public abstract bool Prepare(
        TiledPreparedImage image, float* features, float* dense, bool denseIsUniform, CancellationToken cancellationToken);

    /// <summary>Prompts that go through the phases together: each needs 2 MB for its coordinates.</summary>
    public const int MostPrompts = 4;

    /// <summary>Decodes up to <see cref="MostPrompts"/> prompts; see <see cref="IMaskDecoderEngine.Decode"/>.</summary>
    public abstract void Decode(
        TiledPreparedImage image, float* tokens, int prompts, int tokensPerPrompt, in WantedMasks wanted,
        float* logits, float* predictedIou, float* objectScores, CancellationToken cancellationToken);

    public abstract void Dispose();
}
