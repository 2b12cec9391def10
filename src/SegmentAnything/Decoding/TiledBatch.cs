namespace SegmentAnything.Decoding;

/// <summary>
/// Divides the prompts of a call. Where there are enough of them, each thread decodes its own few from beginning to end and
/// no thread waits for another; a few prompts are decoded by all threads together, which share the image's tiles.
/// </summary>
internal sealed unsafe class TiledBatch(TiledMaskDecoder decoder, WorkSplitter splitter, int channels) : ISplitWork
{
    private TiledPreparedImage _image = null!;
    private CancellationToken _cancellation;
    private float* _tokens;
    private float* _logits;
    private float* _predictedIou;
    private float* _objectScores;
    private int _prompts;
    private int _groups;
    private int _tokensPerPrompt;
    private WantedMasks _wanted;

    /// <summary>Decodes any number of prompts; see <see cref="IMaskDecoderEngine.Decode"/>.</summary>
    public void Decode(
        TiledPreparedImage image, float* tokens, int prompts, int tokensPerPrompt, in WantedMasks wanted,
        float* logits, float* predictedIou, float* objectScores, CancellationToken cancellationToken)
    {
        (_image, _cancellation) = (image, cancellationToken);
        _tokens = tokens;
        _logits = logits;
        _predictedIou = predictedIou;
        _objectScores = objectScores;
        (_prompts, _tokensPerPrompt, _wanted) = (prompts, tokensPerPrompt, wanted);
        _groups = (prompts + TiledDecoding.MostPrompts - 1) / TiledDecoding.MostPrompts;
        int threads = splitter.Threads;
        if (threads > 1 && (prompts % threads == 0 || prompts >= 4 * threads))
        {
            _groups = DecoderMath.RoundUp(_groups, threads);
            splitter.Run(this, _groups);
        }
        else
        {
            for (int group = 0; group < _groups; group++) Execute(group, 0);
        }

        // An idle object must not keep the caller's image alive.
        (_image, _cancellation) = (null!, default);
    }

    /// <inheritdoc/>
    public void Execute(int item, int worker)
    {
        int first = (int)((long)_prompts * item / _groups);
        int count = (int)((long)_prompts * (item + 1) / _groups) - first;
        TiledDecoding decoding = decoder.Rent();
        try
        {
            decoding.Decode(
                _image, _tokens + (first * (long)_tokensPerPrompt * channels), count, _tokensPerPrompt, _wanted,
                _logits + (first * (long)_wanted.Count * 16 * _image.Grid.Tokens), _predictedIou + (first * (long)_wanted.Count),
                _objectScores == null ? null : _objectScores + first, _cancellation);
        }
        finally
        {
            decoder.Return(decoding);
        }
    }
}
