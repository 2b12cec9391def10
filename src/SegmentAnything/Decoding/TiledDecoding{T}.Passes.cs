using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>What is done to one tile.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    /// <summary>Lines of 64 bytes in a row of a tile.</summary>
    private const int LinesInRow = TileTokens / 16;

    private const float UpscaleEpsilon = DecoderLayout.ChannelNormEpsilon;

    /// <summary>Rounding that an encoded mask may show: ten times what was seen.</summary>
    private const float MaskTolerance = 1e-4f;

    private void PrepareGridTile(int tile)
    {
        ImageMaps maps = _weights.Maps;
        int rows = 3 * maps.Block;
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            maps.EncodingPanels, PanelStride(Channels), _grid.Encoding + TileOffset(tile, Channels), TileTokens, Channels,
            maps.EncodingBias, 0, _grid.Maps + TileOffset(tile, rows), TileTokens, rows, TileTokens);
    }

    private void PrepareTile(int tile, WorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        int tokens = _grid.TokensIn(tile), inner = _weights.Inner, values = Heads * _weights.ValueHeadStride;
        float* keys = worker.TileA, encoded = worker.TileB, encoding = _grid.Encoding + TileOffset(tile, Channels);
        for (int c = 0; c < Channels; c++)
        {
            nint source = (c * (nint)_grid.Tokens) + (tile * TileTokens);
            Span<float> row = new(keys + (c * TileTokens), TileTokens);
            ReadOnlySpan<float> given = new(_embedding + source, tokens);
            if (_denseIsUniform) TensorPrimitives.Add(given, _dense[c], row);
            else TensorPrimitives.Add(given, new ReadOnlySpan<float>(_dense + source, tokens), row);
            row[tokens..].Clear();
            TensorPrimitives.Add(row, new ReadOnlySpan<float>(encoding + (c * TileTokens), TileTokens), new Span<float>(encoded + (c * TileTokens), TileTokens));
        }

        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
            maps.Keys0Panels, PanelStride(Channels), encoded, TileTokens, Channels,
            null, 0, _image.Keys0 + TileOffset(tile, inner), TileTokens, inner, TileTokens);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            maps.Queries0Panels, PanelStride(Channels), encoded, TileTokens, Channels,
            maps.Queries0Bias, 0, _image.Queries0 + TileOffset(tile, inner), TileTokens, inner, TileTokens);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            maps.Panels, PanelStride(Channels), keys, TileTokens, Channels,
            maps.Bias, 0, _image.Maps + TileOffset(tile, maps.ImageRows), TileTokens, maps.ImageRows, TileTokens);
        for (int i = 0; i < _image.Values.Length; i++)
        {
            DecoderKernels.Product<TSimd, TVector, TokensAsRows, FromColumnBias>(
                keys, DecoderKernels.BlockRows, maps.ValueColumns[i], values, Channels,
                maps.ValueColumnBias[i], 0, _image.Values[i] + TileOffset(tile, values), values, TileTokens, values);
        }

        DecoderKernels.ImageMoments<TSimd, TVector>(
            keys, Channels, maps.Constant, maps.Weight1, maps.Between, _image.Moments + TileOffset(tile, DecoderKernels.MomentRows));
    }

    // A mask prompt's coordinates, and the moments of the image with them. If the coordinates do not give the encoded mask
    // back, it was none.
    private void PrepareMaskTile(int tile, WorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        int tokens = _grid.TokensIn(tile);
        float* encoded = worker.TileA, keys = worker.TileB, mask = _image.Mask + TileOffset(tile, maps.MaskRows);
        for (int c = 0; c < Channels; c++)
        {
            Span<float> row = new(encoded + (c * TileTokens), TileTokens);
            new ReadOnlySpan<float>(_dense + (c * (nint)_grid.Tokens) + (tile * TileTokens), tokens).CopyTo(row);
            row[tokens..].Fill(row[tokens - 1]);
        }

        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            maps.MaskInversePanels, PanelStride(Channels), encoded, TileTokens, Channels, maps.MaskInverseBias, 0, mask, TileTokens, maps.MaskRows, TileTokens);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
            maps.MaskPanels, PanelStride(maps.MaskRows), mask, TileTokens, maps.MaskRows, null, 0, keys, TileTokens, Channels, TileTokens);
        if (!DecoderKernels.AreNear<TSimd, TVector>(keys, _weights.WithoutMask, encoded, Channels, MaskTolerance)) _isMask = false;
        for (int c = 0; c < Channels; c++)
        {
            Span<float> row = new(keys + (c * TileTokens), TileTokens);
            TensorPrimitives.Add(
                new ReadOnlySpan<float>(_embedding + (c * (nint)_grid.Tokens) + (tile * TileTokens), tokens),
                new ReadOnlySpan<float>(encoded + (c * TileTokens), tokens), row);
            row[tokens..].Clear();
        }

        DecoderKernels.ImageMoments<TSimd, TVector>(
            keys, Channels, maps.Constant, maps.Weight1, maps.Between, _image.Moments + TileOffset(tile, DecoderKernels.MomentRows));
    }

    // Pass 1: the tokens attend to the image as it is for every prompt of the same mask.
    private void FirstAttentionTile(int tile, int segment, bool first, PromptMemory prompt, WorkerMemory worker)
    {
        int inner = _weights.Inner;
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows);
        HeadScores(prompt.QueryPanels, _tokens, _image.Keys0 + TileOffset(tile, inner), Following(tile, _image.Keys0, inner), worker.Scores);
        if (FirstRow > 0)
        {
            Copy(_image.Mask + TileOffset(tile, FirstRow), coordinates, FirstRow * TileTokens);
            AddProduct(prompt.ScorePanels, coordinates, FirstRow, worker.Scores, Heads * _tokens);
        }

        TokensToImage(tile, segment, first, _tokens, 0, coordinates, worker.Ones, FirstRow, prompt, worker);
    }

    // Pass 2: image to tokens in layer 0, then tokens to the new image in layer 1.
    private void Layer0Tile(int tile, int segment, bool first, PromptMemory prompt, WorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        int inner = _weights.Inner, ownMaps = 3 * maps.Block;
        float* image = _image.Maps + TileOffset(tile, maps.ImageRows), next = Following(tile, _image.Maps, maps.ImageRows);
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows);
        float* deviation = Row(coordinates, Deviation1Row), scale = Row(coordinates, Scale1Row);

        HeadScores(prompt.KeyPanels, _tokens, _image.Queries0 + TileOffset(tile, inner), Following(tile, _image.Queries0, inner), worker.Scores);
        if (FirstRow > 0) AddProduct(prompt.ImageScorePanels, coordinates, FirstRow, worker.Scores, Heads * _tokens);
        ImageToTokens(worker.Ones, worker.Ones, prompt.Values, Row(coordinates, FirstRow), worker);

        // The square of the length of image + coordinates x directions.
        Copy(_image.Moments + TileOffset(tile, DecoderKernels.MomentRows), worker.Square, TileTokens);
        AddLength(prompt.Directions1, Row(image, ImageMaps.Length1), NextRow(next, ImageMaps.Length1), prompt.LengthPanels, FirstRow, coordinates, worker);
        DecoderKernels.Deviation<TSimd, TVector>(worker.Square, Channels, _weights.NormEpsilon, worker.Ones, deviation, scale);

        DecoderKernels.AddScaled<TSimd, TVector>(
            Row(image, maps.Keys1), _grid.Maps + TileOffset(tile, ownMaps), deviation, inner, worker.Encoded);
        HeadScores(prompt.QueryPanels, _tokens, worker.Encoded, NextRow(next, maps.Keys1), worker.Scores);
        AddProduct(prompt.ScorePanels, coordinates, Deviation1Row, worker.Scores, Heads * _tokens);
        TokensToImage(tile, segment, first, _tokens, 1, coordinates, scale, Deviation1Row, prompt, worker);
    }

    // Pass 3: image to tokens in layer 1, then the final attention of tokens to the new image.
    private void Layer1Tile(int tile, int segment, bool first, PromptMemory prompt, WorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        int inner = _weights.Inner, ownMaps = 3 * maps.Block;
        float* image = _image.Maps + TileOffset(tile, maps.ImageRows), next = Following(tile, _image.Maps, maps.ImageRows);
        float* encoding = _grid.Maps + TileOffset(tile, ownMaps);
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows), second = Row(coordinates, SecondRow);
        float* deviation1 = Row(coordinates, Deviation1Row), deviation2 = Row(coordinates, Deviation2Row), scale2 = Row(coordinates, Scale2Row);

        DecoderKernels.AddScaled<TSimd, TVector>(Row(image, maps.Queries1), Row(encoding, maps.Block), deviation1, inner, worker.Encoded);
        HeadScores(prompt.KeyPanels, _tokens, worker.Encoded, NextRow(next, maps.Queries1), worker.Scores);
        AddProduct(prompt.ImageScorePanels, coordinates, Deviation1Row, worker.Scores, Heads * _tokens);
        ImageToTokens(Row(coordinates, Scale1Row), deviation1, prompt.Values, second, worker);

        float* moments = _image.Moments + TileOffset(tile, DecoderKernels.MomentRows);
        DecoderKernels.WeightedSum<TSimd, TVector>(Row(coordinates, FirstRow), Coordinates, prompt.BetweenProducts, Row(moments, 2), worker.Product);
        DecoderKernels.SquareOfSum<TSimd, TVector>(Row(moments, 1), worker.Product, maps.BetweenSquare, deviation1, worker.Square);
        AddLength(prompt.Directions1, Row(image, maps.Length2First), NextRow(next, maps.Length2First), prompt.LengthPanels, FirstRow, coordinates, worker);
        AddLength(prompt.Directions2, Row(image, maps.Length2Second), NextRow(next, maps.Length2Second), prompt.SecondLengthPanels, SecondRow, coordinates, worker);
        DecoderKernels.Deviation<TSimd, TVector>(worker.Square, Channels, _weights.NormEpsilon, deviation1, deviation2, scale2);

        DecoderKernels.AddScaled<TSimd, TVector>(Row(image, maps.Keys2), Row(encoding, 2 * maps.Block), deviation2, inner, worker.Encoded);
        HeadScores(prompt.QueryPanels, FinalTokens, worker.Encoded, NextRow(next, maps.Keys2), worker.Scores);
        AddProduct(prompt.ScorePanels, coordinates, Deviation2Row, worker.Scores, Heads * FinalTokens);
        TokensToImage(tile, segment, first, FinalTokens, 2, coordinates, scale2, Deviation2Row, prompt, worker);
    }

    // Pass 4. X1 = GELU(LN(map of the image tokens)), one LayerNorm for each of the four sub-pixels; then X2 and the masks of
    // each. The tokens are too large by layer 1's deviation, and so is the first LayerNorm's epsilon.
    private void UpscaleTile(int tile, int promptIndex, PromptMemory prompt, WorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        int channels1 = Channels / 4, channels2 = Channels / 8, steps = Deviation2Row + 1;
        const int MaskStride = 16 * TileTokens;
        if (prompt.UpscaledCount == 0) return;
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows), deviation = Row(coordinates, Deviation2Row);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
            prompt.UpscalePanels, PanelStride(steps), coordinates, TileTokens, steps,
            Row(_image.Maps + TileOffset(tile, maps.ImageRows), maps.Upscale), TileTokens, worker.TileA, TileTokens, Channels, LanesIn(tile),
            NextRow(Following(tile, _image.Maps, maps.ImageRows), maps.Upscale), LinesInRow);
        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector size = TSimd.Load(deviation + lane);
            TSimd.Store(TSimd.Multiply(TSimd.Multiply(size, size), TSimd.Create(UpscaleEpsilon)), worker.Square + lane);
        }

        for (int subpixel = 0; subpixel < 4; subpixel++)
        {
            float* x1 = worker.TileA + (subpixel * channels1 * TileTokens);
            DecoderKernels.LayerNormGeluTile<TSimd, TVector>(
                x1, channels1, _weights.UpscaleNorm.Weight, _weights.UpscaleNorm.Bias, worker.Square, _weights.GeluTable);
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
                _weights.Upscale2Panels, PanelStride(channels1), x1, TileTokens, channels1,
                _weights.Upscale2Bias, 0, worker.TileB, TileTokens, 4 * channels2, LanesIn(tile));
            DecoderKernels.GeluMaskProduct<TSimd, TVector>(
                worker.TileB, 4, channels2, prompt.Hyper, prompt.UpscaledCount, _weights.GeluTable, worker.Masks + (subpixel * 4 * TileTokens), MaskStride);
        }

        long pictureSize = 16L * _grid.Tokens;
        float* masks = worker.Masks;
        for (int mask = 0; mask < _wanted.Count; mask++)
        {
            if ((prompt.Upscaled & (1 << mask)) == 0) continue;
            DecoderKernels.InterleaveSubpixels(
                masks, tile * TileTokens, _grid.TokensIn(tile), _grid.Side,
                _logits + (((promptIndex * _wanted.Count) + mask) * pictureSize));
            masks += MaskStride;
        }
    }

    // Rows (head, token): each head's tokens times its few channels of the image. A head's last block may reach into the next
    // head's rows, which are written after it, or behind the end.
    private void HeadScores(float* panels, int tokens, float* image, float* next, float* scores)
    {
        int headWidth = _weights.HeadWidth, panelRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows);
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                panels + (head * panelRows * headWidth), PanelStride(headWidth), image + (head * headWidth * TileTokens), TileTokens, headWidth,
                null, 0, scores + (head * tokens * TileTokens), TileTokens, panelRows, TileTokens);
            if (next != null) DecoderKernels.Prefetch(next + (head * headWidth * TileTokens), headWidth * LinesInRow);
        }
    }

    // scores += panels x coordinates.
    private static void AddProduct(float* panels, float* coordinates, int steps, float* scores, int rows) =>
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
            panels, PanelStride(steps), coordinates, TileTokens, steps, scores, TileTokens, scores, TileTokens, rows, TileTokens);

    // The image attends to the tokens: the coordinates of what it receives, from the scores. Where a head has more tokens than
    // channels, what it receives has no more than the channels' directions.
    private void ImageToTokens(float* factor, float* total, float* values, float* coordinates, WorkerMemory worker)
    {
        if (Rank == _tokens)
        {
            DecoderKernels.SoftmaxHeads<TSimd, TVector>(worker.Scores, Heads, _tokens, factor, total, coordinates);
            return;
        }

        DecoderKernels.SoftmaxHeads<TSimd, TVector>(worker.Scores, Heads, _tokens, factor, total, worker.Scores);
        int rows = DecoderMath.RoundUp(Rank, DecoderKernels.BlockRows);
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                values + (head * rows * _tokens), PanelStride(_tokens), worker.Scores + (head * _tokens * TileTokens), TileTokens, _tokens,
                null, 0, Row(coordinates, head * Rank), TileTokens, rows, TileTokens);
        }
    }

    // Square += 2 own . (image's products with the directions + panels x coordinates up to their own): what the last
    // coordinates add to the square of the length. Each block of directions is multiplied with those before it, so that no
    // product is there twice.
    private void AddLength(float* directions, float* image, float* next, float* panels, int own, float* coordinates, WorkerMemory worker)
    {
        HeadScores(directions, Rank, image, next, worker.Products);
        int steps = own + Coordinates;
        for (int row = 0; row < Coordinates; row += DecoderKernels.BlockRows)
        {
            float* products = Row(worker.Products, row);
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
                panels + (row * (nint)steps), PanelStride(steps), coordinates, TileTokens, own + row + DecoderKernels.BlockRows,
                products, TileTokens, products, TileTokens, DecoderKernels.BlockRows, TileTokens);
        }

        DecoderKernels.AddTwiceProduct<TSimd, TVector>(Row(coordinates, own), worker.Products, Coordinates, worker.Square);
    }

    // The tokens attend to a tile of the image. Its values are the image's own, which each head has few channels of, and
    // the first coordinates, whose directions are applied when the sums are complete.
    private void TokensToImage(
        int tile, int segment, bool first, int tokens, int layer, float* coordinates, float* factor, int coordinateCount, PromptMemory prompt, WorkerMemory worker)
    {
        int queries = Heads * tokens, columns = DecoderMath.RoundUp(queries, TSimd.Width), present = _grid.TokensIn(tile);
        int headRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows), stride = _weights.ValueHeadStride;
        int rows = DecoderMath.RoundUp(coordinateCount, DecoderKernels.BlockRows);
        float* sums = prompt.ValueSums + (segment * (nint)Heads * headRows * stride), coordinateSums = prompt.CoordinateSums + (segment * (nint)rows * columns);
        bool raised = DecoderKernels.RunningSoftmax<TSimd, TVector>(
            worker.Scores, queries, present, factor, prompt.Reference + (segment * columns), prompt.Sum + (segment * columns), worker.Rescale, first);
        if (raised) Rescale(worker.Rescale, tokens, sums, coordinateSums, rows, columns);

        float* values = _image.Values[layer] + TileOffset(tile, Heads * stride), next = Following(tile, _image.Values[layer], Heads * stride);
        nint block = DecoderKernels.BlockRows * TileTokens;
        for (int head = 0; head < Heads; head++)
        {
            if (next != null) DecoderKernels.Prefetch(next + (head * stride * TileTokens), stride * LinesInRow);
            Accumulate(worker.Scores + (head * tokens * TileTokens), values + (head * stride), Heads * stride, sums + (head * headRows * stride), stride, headRows, stride);
        }

        if (coordinateCount == 0) return;
        DecoderKernels.Transpose(worker.Scores, TileTokens, queries, TileTokens, worker.Powers, columns);
        Accumulate(coordinates, worker.Powers, columns, coordinateSums, columns, rows, columns);

        void Accumulate(float* a, float* b, nint bStride, float* target, nint targetStride, int targetRows, int targetColumns)
        {
            if (first)
                DecoderKernels.Product<TSimd, TVector, ChannelsAsRows, FromZero>(a, block, b, bStride, present, null, 0, target, targetStride, targetRows, targetColumns);
            else
                DecoderKernels.Product<TSimd, TVector, ChannelsAsRows, FromMatrix>(a, block, b, bStride, present, target, targetStride, target, targetStride, targetRows, targetColumns);
        }
    }

    // Some softmax's reference was raised, which is rare: what was summed before is scaled down with it.
    private void Rescale(float* factors, int tokens, float* values, float* coordinates, int rows, int columns)
    {
        int stride = _weights.ValueHeadStride, headRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows);
        for (int query = 0; query < Heads * tokens; query++)
        {
            float* row = values + (((query / tokens * headRows) + (query % tokens)) * (nint)stride);
            for (int i = 0; i < stride; i++) row[i] *= factors[query];
            for (int r = 0; r < rows; r++) coordinates[(r * (nint)columns) + query] *= factors[query];
        }
    }

    // Lanes to compute: all but in the last tile, where whole vectors suffice. What is beyond stays as it is and is not read.
    private int LanesIn(int tile) => DecoderMath.RoundUp(_grid.TokensIn(tile), TSimd.Width);

    // The same array's next tile, to be fetched while this one is worked on. Null behind the last.
    private float* Following(int tile, float* tiles, int rows) => tile + 1 < _grid.Tiles ? tiles + TileOffset(tile + 1, rows) : null;

    private static float* NextRow(float* tile, int row) => tile == null ? null : Row(tile, row);

    private static float* Row(float* tile, int row) => tile + (row * TileTokens);

    private static nint TileOffset(int tile, int rows) => tile * (nint)rows * TileTokens;

    private static nint PanelStride(int steps) => steps * (nint)DecoderKernels.BlockRows;
}
