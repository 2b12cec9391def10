using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>Attention between the tokens and one tile of the image.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    /// <summary>Lines of 64 bytes in a row of a tile.</summary>
    private const int LinesInRow = TileTokens / 16;

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

    // Keys or queries of the image with those of its positional encoding, which become as much too large as the image is.
    private void AddEncoding(int tile, int map, float* image, float* deviation, float* encoded)
    {
        int block = _weights.Maps.Block, rows = 3 * block, inner = _weights.Inner;
        float* next = NextRow(Following(tile, _grid.Maps, rows), map * block);
        DecoderKernels.AddScaled<TSimd, TVector>(image, Row(_grid.Maps + TileOffset(tile, rows), map * block), deviation, inner, encoded);
        if (next != null) DecoderKernels.Prefetch(next, inner * LinesInRow);
    }

    // scores += panels x coordinates.
    private static void AddProduct(float* panels, float* coordinates, int steps, float* scores, int rows) =>
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
            panels, PanelStride(steps), coordinates, TileTokens, steps, scores, TileTokens, scores, TileTokens, rows, TileTokens);

    // The image attends to the tokens: the coordinates of what it receives, from the scores. Where a head has more tokens than
    // channels, what it receives has no more than the channels' directions.
    private void ImageToTokens(float* factor, float* total, float* values, float* coordinates, TiledWorkerMemory worker)
    {
        if (HasWeightsAsCoordinates)
        {
            DecoderKernels.SoftmaxHeads<TSimd, TVector>(worker.Scores, Heads, _tokens, factor, total, 1, coordinates);
            return;
        }

        DecoderKernels.SoftmaxHeads<TSimd, TVector>(worker.Scores, Heads, _tokens, factor, total, 0, worker.Scores);
        int rows = DecoderMath.RoundUp(Rank, DecoderKernels.BlockRows);
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                values + (head * rows * _tokens), PanelStride(_tokens), worker.Scores + (head * _tokens * TileTokens), TileTokens, _tokens,
                null, 0, Row(coordinates, head * Rank), TileTokens, rows, TileTokens);
        }
    }

    // Products of the image and its mask with a base's direction, added to a start.
    private void SumBase(float* image, float* coordinates, float* weights, float* maskWeights, float* start, float* products)
    {
        DecoderKernels.WeightedSum<TSimd, TVector>(image, _weights.Inner, weights, start, products);
        if (MaskRows > 0) DecoderKernels.WeightedSum<TSimd, TVector>(coordinates, MaskRows, maskWeights, products, products);
    }

    // Square += 2 own . (image's products with the directions + panels x coordinates up to their own): what the last
    // coordinates add to the square of the length. Each block of directions is multiplied with those before it, so that no
    // product is there twice.
    private void AddLength(float* directions, float* image, float* next, float* panels, int own, float* coordinates, TiledWorkerMemory worker)
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
        int tile, int segment, bool first, int tokens, int layer, float* coordinates, float* factor, int coordinateCount, TiledPromptMemory prompt, TiledWorkerMemory worker)
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
