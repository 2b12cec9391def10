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
    private int _prompts;
    private int _groups;
    private int _tokensPerPrompt;
    private int _firstMask;
    private int _masks;
    private float _leastPredictedIou;

    /// <summary>Decodes any number of prompts; see <see cref="IMaskDecoderEngine.Decode"/>.</summary>
    public void Decode(
        TiledPreparedImage image, float* tokens, int prompts, int tokensPerPrompt, int firstMask, int masks, float leastPredictedIou,
        float* logits, float* predictedIou, CancellationToken cancellationToken)
    {
        (_image, _cancellation) = (image, cancellationToken);
        _tokens = tokens;
        _logits = logits;
        _predictedIou = predictedIou;
        (_prompts, _tokensPerPrompt, _firstMask, _masks) = (prompts, tokensPerPrompt, firstMask, masks);
        _leastPredictedIou = leastPredictedIou;
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
                _image, _tokens + (first * (long)_tokensPerPrompt * channels), count, _tokensPerPrompt, _firstMask, _masks, _leastPredictedIou,
                _logits + (first * (long)_masks * 16 * _image.Grid.Tokens), _predictedIou + (first * (long)_masks), _cancellation);
        }
        finally
        {
            decoder.Return(decoding);
        }
    }
}
