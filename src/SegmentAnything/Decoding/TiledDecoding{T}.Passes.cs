using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>What is done to one tile.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    private const float UpscaleEpsilon = DecoderLayout.ChannelNormEpsilon;

    // Pass 1: the tokens attend to the image as it is for every prompt of the same mask.
    private void AttendToImage(int tile, int segment, bool first, TiledPromptMemory prompt, TiledWorkerMemory worker)
    {
        int inner = _weights.Inner;
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows);
        HeadScores(prompt.QueryPanels, _tokens, _image.Keys0 + TileOffset(tile, inner), Following(tile, _image.Keys0, inner), worker.Scores);
        if (MaskRows > 0)
        {
            Copy(_image.Mask + TileOffset(tile, MaskRows), coordinates, MaskRows * TileTokens);
            AddProduct(prompt.ScorePanels, coordinates, MaskRows, worker.Scores, Heads * _tokens);
        }

        Copy(worker.Ones, Row(coordinates, OneRow), TileTokens);
        TokensToImage(tile, segment, first, _tokens, 0, coordinates, worker.Ones, MaskRows, prompt, worker);
    }

    // Pass 2: image to tokens in layer 0, then tokens to the new image in layer 1.
    private void UpdateImageByLayer0(int tile, int segment, bool first, TiledPromptMemory prompt, TiledWorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        int inner = _weights.Inner;
        float* image = _image.Maps + TileOffset(tile, _weights.MapRows), next = Following(tile, _image.Maps, _weights.MapRows);
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows);
        float* deviation = Row(coordinates, Deviation1Row), scale = Row(coordinates, Scale1Row);

        HeadScores(prompt.KeyPanels, _tokens, _image.Queries0 + TileOffset(tile, inner), Following(tile, _image.Queries0, inner), worker.Scores);
        if (MaskRows > 0) AddProduct(prompt.ImageScorePanels, coordinates, MaskRows, worker.Scores, Heads * _tokens);
        ImageToTokens(worker.Ones, worker.Ones, prompt.Values, Row(coordinates, FirstRow), worker);

        // The square of the length of image + coordinates x directions.
        SumBase(Row(image, ImageMaps.Length1), coordinates, prompt.Base1, prompt.MaskBase1, worker.Zeros, worker.Product);
        DecoderKernels.SquareOfSum<TSimd, TVector>(
            _image.Moments + TileOffset(tile, DecoderKernels.MomentRows), worker.Product, prompt.BaseSquare, worker.Ones, worker.Square);
        AddLength(prompt.Directions1, Row(image, ImageMaps.Length1), NextRow(next, ImageMaps.Length1), prompt.LengthPanels, FirstRow, coordinates, worker);
        DecoderKernels.Deviation<TSimd, TVector>(worker.Square, Channels, _weights.NormEpsilon, worker.Ones, deviation, scale);

        AddEncoding(tile, 0, Row(image, maps.Keys1), deviation, worker.Encoded);
        HeadScores(prompt.QueryPanels, _tokens, worker.Encoded, NextRow(next, maps.Keys1), worker.Scores);
        AddProduct(prompt.ScorePanels, coordinates, Deviation1Row, worker.Scores, Heads * _tokens);
        TokensToImage(tile, segment, first, _tokens, 1, coordinates, scale, Deviation1Row, prompt, worker);
    }

    // Pass 3: image to tokens in layer 1, then the final attention of tokens to the new image.
    private void UpdateImageByLayer1(int tile, int segment, bool first, TiledPromptMemory prompt, TiledWorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        float* image = _image.Maps + TileOffset(tile, _weights.MapRows), next = Following(tile, _image.Maps, _weights.MapRows);
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows), second = Row(coordinates, SecondRow);
        float* deviation1 = Row(coordinates, Deviation1Row), deviation2 = Row(coordinates, Deviation2Row), scale2 = Row(coordinates, Scale2Row);

        AddEncoding(tile, 1, Row(image, maps.Queries1), deviation1, worker.Encoded);
        HeadScores(prompt.KeyPanels, _tokens, worker.Encoded, NextRow(next, maps.Queries1), worker.Scores);
        AddProduct(prompt.ImageScorePanels, coordinates, Deviation1Row, worker.Scores, Heads * _tokens);
        ImageToTokens(Row(coordinates, Scale1Row), deviation1, prompt.Values, second, worker);

        float* moments = _image.Moments + TileOffset(tile, DecoderKernels.MomentRows);
        SumBase(Row(image, maps.Length2First), coordinates, prompt.Base1, prompt.WeightedMaskBase1, worker.Zeros, worker.Product);
        DecoderKernels.SquareOfSum<TSimd, TVector>(Row(moments, 1), worker.Product, prompt.WeightedBaseSquare, worker.Ones, worker.Square);
        SumBase(Row(image, maps.Length2Second), coordinates, prompt.Base2, prompt.MaskBase2, Row(moments, 2), worker.Product);
        DecoderKernels.WeightedSum<TSimd, TVector>(Row(coordinates, OneRow), 1 + Coordinates, prompt.BetweenProducts, worker.Product, worker.Product);
        DecoderKernels.SquareOfSum<TSimd, TVector>(worker.Square, worker.Product, prompt.BetweenSquare, deviation1, worker.Square);
        AddLength(prompt.Directions1, Row(image, maps.Length2First), NextRow(next, maps.Length2First), prompt.LengthPanels, FirstRow, coordinates, worker);
        AddLength(prompt.Directions2, Row(image, maps.Length2Second), NextRow(next, maps.Length2Second), prompt.SecondLengthPanels, SecondRow, coordinates, worker);
        DecoderKernels.Deviation<TSimd, TVector>(worker.Square, Channels, _weights.NormEpsilon, deviation1, deviation2, scale2);

        AddEncoding(tile, 2, Row(image, maps.Keys2), deviation2, worker.Encoded);
        HeadScores(prompt.QueryPanels, FinalTokens, worker.Encoded, NextRow(next, maps.Keys2), worker.Scores);
        AddProduct(prompt.ScorePanels, coordinates, Deviation2Row, worker.Scores, Heads * FinalTokens);
        TokensToImage(tile, segment, first, FinalTokens, 2, coordinates, scale2, Deviation2Row, prompt, worker);
    }

    // Pass 4. X1 = GELU(LN(map of the image tokens)), one LayerNorm for each of the four sub-pixels; then X2 and the masks of
    // each. The tokens are too large by layer 1's deviation, and so is the first LayerNorm's epsilon.
    private void ComputeMaskLogits(int tile, int promptIndex, TiledPromptMemory prompt, TiledWorkerMemory worker)
    {
        ImageMaps maps = _weights.Maps;
        int channels1 = Channels / 4, channels2 = Channels / 8, steps = Deviation2Row + 1;
        const int MaskStride = 16 * TileTokens;
        if (prompt.UpscaledCount == 0) return;
        float* coordinates = prompt.Coordinates + TileOffset(tile, CoordinateRows), deviation = Row(coordinates, Deviation2Row);
        float* image = _image.Maps + TileOffset(tile, _weights.MapRows);
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
            prompt.UpscalePanels, PanelStride(steps), coordinates, TileTokens, steps,
            Row(image, maps.Upscale), TileTokens, worker.TileA, TileTokens, Channels, LanesIn(tile),
            NextRow(Following(tile, _image.Maps, _weights.MapRows), maps.Upscale), _weights.HasHighRes ? 2 * LinesInRow : LinesInRow);
        if (_weights.HasHighRes)
            DecoderKernels.AddScaled<TSimd, TVector>(worker.TileA, Row(image, maps.ImageRows), deviation, Channels, worker.TileA);

        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector size = TSimd.Load(deviation + lane);
            TSimd.Store(TSimd.Multiply(TSimd.Multiply(size, size), TSimd.Create(UpscaleEpsilon)), worker.Square + lane);
        }

        // What is added to the second step, or to a refined mask, is fetched while the tile before it is worked on.
        float* finest = _weights.HasHighRes ? _image.AfterSecond : _image.RefinedFeatures, next = finest == null ? null : Following(tile, finest, 2 * Channels);
        for (int subpixel = 0; subpixel < 4; subpixel++)
        {
            int firstRow = subpixel * 4 * channels2;
            float* x1 = worker.TileA + (subpixel * channels1 * TileTokens);
            DecoderKernels.LayerNormGeluTile<TSimd, TVector>(
                x1, channels1, _weights.UpscaleNorm.Weight, _weights.UpscaleNorm.Bias, worker.Square, _weights.GeluTable);
            if (_weights.HasHighRes)
            {
                float* start = Row(_image.AfterSecond + TileOffset(tile, 2 * Channels), firstRow);
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
                    _weights.Upscale2Panels, PanelStride(channels1), x1, TileTokens, channels1,
                    start, TileTokens, worker.TileB, TileTokens, 4 * channels2, LanesIn(tile), NextRow(next, firstRow), LinesInRow);
            }
            else
            {
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
                    _weights.Upscale2Panels, PanelStride(channels1), x1, TileTokens, channels1,
                    _weights.Upscale2Bias, 0, worker.TileB, TileTokens, 4 * channels2, LanesIn(tile), NextRow(next, firstRow), LinesInRow);
            }

            if (_weights.Refinement is not null)
            {
                MultiplyMasks(tile, subpixel, prompt, worker);
                continue;
            }

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
}
