using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>What is computed of a tile before any prompt.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    /// <summary>Rounding that an encoded mask may show: ten times what was seen.</summary>
    private const float MaskTolerance = 1e-4f;

    private void ComputeEncodingMaps(int tile)
    {
        ImageMaps maps = _weights.Maps;
        int rows = 3 * maps.Block;
        DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
            maps.EncodingPanels, PanelStride(Channels), _grid.Encoding + TileOffset(tile, Channels), TileTokens, Channels,
            maps.EncodingBias, 0, _grid.Maps + TileOffset(tile, rows), TileTokens, rows, TileTokens);
    }

    private void ComputeImageMaps(int tile, TiledWorkerMemory worker)
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
            maps.Bias, 0, _image.Maps + TileOffset(tile, _weights.MapRows), TileTokens, maps.ImageRows, TileTokens);
        for (int i = 0; i < _image.Values.Length; i++)
        {
            DecoderKernels.Product<TSimd, TVector, TokensAsRows, FromColumnBias>(
                keys, DecoderKernels.BlockRows, maps.ValueColumns[i], values, Channels,
                maps.ValueColumnBias[i], 0, _image.Values[i] + TileOffset(tile, values), values, TileTokens, values);
        }

        DecoderKernels.ImageMoments<TSimd, TVector>(
            keys, Channels, maps.Constant, maps.Weight1, maps.Between, _image.Moments + TileOffset(tile, DecoderKernels.MomentRows));
        if (_weights.HasHighRes) ArrangeHighRes(tile);
        if (_weights.Refinement is not null) ComputeRefinedFeatures(tile, worker);
    }

    // Brings the finer maps of the image into the order in which upscaling meets them.
    private void ArrangeHighRes(int tile)
    {
        int channels1 = Channels / 4, channels2 = Channels / 8, side = _grid.Side, tokens = _grid.TokensIn(tile);
        float* finest = _embedding + (Channels * (nint)_grid.Tokens), finer = finest + (channels2 * 16 * (nint)_grid.Tokens);
        float* first = Row(_image.Maps + TileOffset(tile, _weights.MapRows), _weights.Maps.ImageRows), second = _image.AfterSecond + TileOffset(tile, 2 * Channels);
        new Span<float>(first, Channels * TileTokens).Clear();
        new Span<float>(second, 2 * Channels * TileTokens).Clear();

        // Where each token of the tile begins in a plane that is twice, and in one that is four times as fine.
        int* starts2 = stackalloc int[TileTokens], starts4 = stackalloc int[TileTokens];
        for (int i = 0; i < tokens; i++)
        {
            (int y, int x) = Math.DivRem((tile * TileTokens) + i, side);
            starts2[i] = (4 * y * side) + (2 * x);
            starts4[i] = (16 * y * side) + (4 * x);
        }

        for (int s1 = 0; s1 < 4; s1++)
        {
            int place = (s1 / 2 * 2 * side) + (s1 % 2);
            for (int c = 0; c < channels1; c++, first += TileTokens)
                Gather(finer + (c * 4 * (nint)_grid.Tokens) + place, starts2, 0, first);
            for (int s2 = 0; s2 < 4; s2++)
            {
                place = (((2 * (s1 / 2)) + (s2 / 2)) * 4 * side) + (2 * (s1 % 2)) + (s2 % 2);
                for (int c = 0; c < channels2; c++, second += TileTokens)
                    Gather(finest + (c * 16 * (nint)_grid.Tokens) + place, starts4, _weights.Upscale2Bias[(s2 * channels2) + c], second);
            }
        }

        void Gather(float* plane, int* starts, float bias, float* destination)
        {
            for (int i = 0; i < tokens; i++) destination[i] = plane[starts[i]] + bias;
        }
    }

    // A mask prompt's coordinates, and the moments of the image with them. If the coordinates do not give the encoded mask
    // back, it was none.
    private void ComputeMaskCoordinates(int tile, TiledWorkerMemory worker)
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
}
