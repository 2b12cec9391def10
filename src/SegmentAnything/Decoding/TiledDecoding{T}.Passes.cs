using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>What is done to one tile.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    /// <summary>Lines of 64 bytes in a row of a tile.</summary>
    private const int LinesInRow = TileTokens / 16;

    private void PrepareTile(int tile, WorkerMemory worker)
    {
        int tokens = _grid.TokensIn(tile), inner = _weights.Inner, valueStride = Heads * _weights.ValueHeadStride;
        float* keys = _image.Keys + TileOffset(tile, Channels);
        for (int c = 0; c < Channels; c++)
        {
            nint source = (c * (nint)_grid.Tokens) + (tile * TileTokens);
            Span<float> row = new(keys + (c * TileTokens), TileTokens);
            ReadOnlySpan<float> values = new(_embedding + source, tokens);
            if (_denseIsUniform) TensorPrimitives.Add(values, _dense[c], row);
            else TensorPrimitives.Add(values, new ReadOnlySpan<float>(_dense + source, tokens), row);
            row[tokens..].Clear();
        }

        AddEncoding(keys, tile, worker.TileA);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
            _weights.Key0Panels, Channels * DecoderKernels.BlockRows, worker.TileA, TileTokens, Channels,
            null, 0, _image.TokenToImageKeys + TileOffset(tile, inner), TileTokens, inner, TileTokens);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            _weights.Query0Panels, Channels * DecoderKernels.BlockRows, worker.TileA, TileTokens, Channels,
            _weights.Layers[0].ImageToToken.QueryBias, 0, _image.ImageToTokenQueries + TileOffset(tile, inner), TileTokens, inner, TileTokens);
        DecoderKernels.Product<TSimd, TVector, TokensAsRows, FromZero>(
            keys, DecoderKernels.BlockRows, _weights.Value0Columns, valueStride, Channels,
            null, 0, _image.TokenToImageValues + TileOffset(tile, valueStride), valueStride, TileTokens, valueStride);
    }

    // Pass 1: the tokens attend to the image as it is for every prompt. Rows are (head, token), lanes are image tokens.
    private void FirstAttentionTile(int tile, int segment, bool first, PromptMemory prompt, WorkerMemory worker)
    {
        int headWidth = _weights.HeadWidth, valueHead = _weights.ValueHeadStride, headRows = HeadRows, rows = Heads * headRows;
        float* keys = _image.TokenToImageKeys + TileOffset(tile, _weights.Inner);
        float* values = _image.TokenToImageValues + TileOffset(tile, Heads * valueHead);
        float* accumulated = prompt.Accumulated + (segment * (nint)rows * valueHead);
        HeadScores(prompt.HeadPanels, keys, Following(tile, _image.TokenToImageKeys, _weights.Inner), worker.Scores);
        DecoderKernels.RunningSoftmaxRows<TSimd, TVector>(
            worker.Scores, rows, _grid.TokensIn(tile), prompt.Reference + (segment * rows), prompt.Sum + (segment * rows), accumulated, valueHead, first);
        float* next = Following(tile, _image.TokenToImageValues, Heads * valueHead);
        for (int head = 0; head < Heads; head++)
        {
            if (next != null) DecoderKernels.Prefetch(next + (head * valueHead * TileTokens), valueHead * LinesInRow);
            float* powers = worker.Scores + (head * headRows * TileTokens);
            float* target = accumulated + (head * headRows * valueHead);
            nint block = DecoderKernels.BlockRows * TileTokens;
            if (first)
            {
                DecoderKernels.Product<TSimd, TVector, ChannelsAsRows, FromZero>(
                    powers, block, values + (head * valueHead), Heads * valueHead, TileTokens, null, 0, target, valueHead, headRows, valueHead);
            }
            else
            {
                DecoderKernels.Product<TSimd, TVector, ChannelsAsRows, FromMatrix>(
                    powers, block, values + (head * valueHead), Heads * valueHead, TileTokens, target, valueHead, target, valueHead, headRows, valueHead);
            }
        }
    }

    // Pass 2: image to tokens in layer 0, then tokens to the new keys in layer 1.
    private void Layer0Tile(int tile, int segment, bool first, PromptMemory prompt, WorkerMemory worker)
    {
        HeadScores(
            prompt.HeadPanels, _image.ImageToTokenQueries + TileOffset(tile, _weights.Inner),
            Following(tile, _image.ImageToTokenQueries, _weights.Inner), worker.Scores);
        UpdateKeys(tile, HeadRows, _image.Keys, _weights.Layers[0].Norm4, prompt, worker);
        TokensToImage(tile, segment, first, Columns, prompt, worker);
    }

    // Pass 3: image to tokens in layer 1, then the final attention of tokens to the new keys.
    private void Layer1Tile(int tile, int segment, bool first, PromptMemory prompt, WorkerMemory worker)
    {
        float* keys = prompt.Keys + TileOffset(tile, Channels);
        AddEncoding(keys, tile, worker.TileB);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            prompt.QueryPanels, Channels * DecoderKernels.BlockRows, worker.TileB, TileTokens, Channels,
            prompt.QueryBias, 0, worker.Scores, TileTokens, Heads * _tokens, LanesIn(tile));
        UpdateKeys(tile, _tokens, prompt.Keys, _weights.Layers[1].Norm4, prompt, worker);
        TokensToImage(tile, segment, first, FinalColumns, prompt, worker);
    }

    // Pass 4. X1 = GELU(LN(keys2 * W1)), one LayerNorm for each of the four sub-pixels; then X2 and the masks of each.
    private void UpscaleTile(int tile, int promptIndex, PromptMemory prompt, WorkerMemory worker)
    {
        int channels1 = Channels / 4, channels2 = Channels / 8;
        const int MaskStride = 16 * TileTokens;
        if (prompt.UpscaledCount == 0) return;
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            _weights.Upscale1Panels, Channels * DecoderKernels.BlockRows, prompt.Keys + TileOffset(tile, Channels), TileTokens, Channels,
            _weights.Upscale1Bias, 0, worker.TileA, TileTokens, 4 * channels1, LanesIn(tile), Following(tile, prompt.Keys, Channels), LinesInRow);
        for (int subpixel = 0; subpixel < 4; subpixel++)
        {
            float* x1 = worker.TileA + (subpixel * channels1 * TileTokens);
            DecoderKernels.LayerNormGeluTile<TSimd, TVector>(
                x1, channels1, _weights.UpscaleNorm.Weight, _weights.UpscaleNorm.Bias, 1e-6f, _weights.GeluTable);
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
                _weights.Upscale2Panels, channels1 * DecoderKernels.BlockRows, x1, TileTokens, channels1,
                _weights.Upscale2Bias, 0, worker.TileB, TileTokens, 4 * channels2, LanesIn(tile));
            DecoderKernels.GeluMaskProduct<TSimd, TVector>(
                worker.TileB, 4, channels2, prompt.Hyper, prompt.UpscaledCount, _weights.GeluTable, worker.Masks + (subpixel * 4 * TileTokens), MaskStride);
        }

        long pictureSize = 16L * _grid.Tokens;
        float* masks = worker.Masks;
        for (int mask = 0; mask < _masks; mask++)
        {
            if ((prompt.Upscaled & (1 << mask)) == 0) continue;
            DecoderKernels.InterleaveSubpixels(
                masks, tile * TileTokens, _grid.TokensIn(tile), _grid.Side,
                _logits + (((promptIndex * _masks) + mask) * pictureSize));
            masks += MaskStride;
        }
    }

    // Layer 0's scores: each head has few channels of its own, which were projected once for the image.
    private void HeadScores(float* panels, float* projected, float* next, float* scores)
    {
        int headWidth = _weights.HeadWidth, headRows = HeadRows;
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                panels + (head * headRows * headWidth), headWidth * DecoderKernels.BlockRows,
                projected + (head * headWidth * TileTokens), TileTokens, headWidth,
                null, 0, scores + (head * headRows * TileTokens), TileTokens, headRows, TileTokens);
            if (next != null) DecoderKernels.Prefetch(next + (head * headWidth * TileTokens), headWidth * LinesInRow);
        }
    }

    // The image attends to the tokens: keys = LN(keys + softmax(scores) * values), into the prompt's keys; TileB = keys + encoding.
    private void UpdateKeys(int tile, int scoreRows, float* keys, PackedNorm norm, PromptMemory prompt, WorkerMemory worker)
    {
        int rows = Heads * _tokens;
        DecoderKernels.SoftmaxHeads<TSimd, TVector>(worker.Scores, scoreRows, Heads, _tokens, worker.Scores);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
            prompt.OutputPanels, rows * DecoderKernels.BlockRows, worker.Scores, TileTokens, rows,
            keys + TileOffset(tile, Channels), TileTokens, worker.TileA, TileTokens, Channels, LanesIn(tile), Following(tile, keys, Channels), LinesInRow);
        DecoderKernels.LayerNormTile<TSimd, TVector>(
            worker.TileA, Channels, norm.Weight, norm.Bias, 1e-5f, _grid.Encoding + TileOffset(tile, Channels),
            prompt.Keys + TileOffset(tile, Channels), worker.TileB);
    }

    // The tokens attend to a tile of the image: columns are (head, token). Reads TileB and the prompt's keys.
    private void TokensToImage(int tile, int segment, bool first, int columns, PromptMemory prompt, WorkerMemory worker)
    {
        int tokens = _grid.TokensIn(tile);
        float* keys = prompt.Keys + TileOffset(tile, Channels);
        float* accumulated = prompt.Accumulated + (segment * (nint)Channels * columns);
        DecoderKernels.Product<TSimd, TVector, TokensAsRows, FromZero>(
            worker.TileB, DecoderKernels.BlockRows, prompt.KeyColumns, columns, Channels,
            null, 0, worker.Powers, columns, DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows), columns, Following(tile, prompt.Keys, Channels), LinesInRow * Channels / TileTokens);
        DecoderKernels.RunningSoftmaxColumns<TSimd, TVector>(
            worker.Powers, columns, tokens, columns, prompt.Reference + (segment * columns), prompt.Sum + (segment * columns),
            accumulated, Channels, first);

        nint block = DecoderKernels.BlockRows * TileTokens;
        float* next = Following(tile, _grid.Encoding, Channels);
        if (first)
        {
            DecoderKernels.Product<TSimd, TVector, ChannelsAsRows, FromZero>(
                keys, block, worker.Powers, columns, tokens, null, 0, accumulated, columns, Channels, columns, next, LinesInRow);
        }
        else
        {
            DecoderKernels.Product<TSimd, TVector, ChannelsAsRows, FromMatrix>(
                keys, block, worker.Powers, columns, tokens, accumulated, columns, accumulated, columns, Channels, columns, next, LinesInRow);
        }
    }

    private void AddEncoding(float* keys, int tile, float* destination)
    {
        float* encoding = _grid.Encoding + TileOffset(tile, Channels);
        for (int i = 0; i < Channels * TileTokens; i += TSimd.Width)
            TSimd.Store(TSimd.Add(TSimd.Load(keys + i), TSimd.Load(encoding + i)), destination + i);
    }

    // Lanes to compute: all but in the last tile, where whole vectors suffice. What is beyond stays as it is and is not read.
    private int LanesIn(int tile) => DecoderMath.RoundUp(_grid.TokensIn(tile), TSimd.Width);

    // The same array's next tile, to be fetched while this one is worked on. Null behind the last.
    private float* Following(int tile, float* tiles, int rows) => tile + 1 < _grid.Tiles ? tiles + TileOffset(tile + 1, rows) : null;

    private static nint TileOffset(int tile, int rows) => tile * (nint)rows * TileTokens;
}
