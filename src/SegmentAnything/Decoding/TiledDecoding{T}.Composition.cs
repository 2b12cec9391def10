using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>Between the tokens and the coordinates: matrices that multiply the ones, and what the others stand for.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    // The end of a token-to-image attention: joins the segments, and applies to the summed coordinates what they stand for,
    // into A.
    private void ComputeAttendedValues(int layer, int prompt, int tokens, int coordinates)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        ref readonly TiledPromptMemory state = ref _prompts[prompt];
        ImageMaps maps = _weights.Maps;
        int columns = DecoderMath.RoundUp(Heads * tokens, TSimd.Width), headWidth = _weights.HeadWidth, block = maps.Block;
        int headRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows), valueStride = _weights.ValueHeadStride;
        int stride = DecoderMath.RoundUp(_weights.Inner, PackedLinear.BlockColumns);
        DecoderKernels.SegmentShares<TSimd, TVector>(_grid.Segments, columns, state.Reference, state.Sum);
        for (int query = 0; query < Heads * tokens; query++)
        {
            int head = query / tokens, token = query % tokens;
            Span<float> target = new(memory.A + (((prompt * tokens) + token) * (nint)stride) + (head * headWidth), headWidth);
            new ReadOnlySpan<float>(maps.ValueBias[layer] + (head * headWidth), headWidth).CopyTo(target);
            for (int s = 0; s < _grid.Segments; s++)
            {
                float* sums = state.ValueSums + (((((s * (nint)Heads) + head) * headRows) + token) * valueStride);
                TensorPrimitives.MultiplyAdd(new ReadOnlySpan<float>(sums, headWidth), state.Reference[(s * columns) + query], target, target);
            }
        }

        if (coordinates == 0) return;
        int rows = DecoderMath.RoundUp(coordinates, DecoderKernels.BlockRows);
        DecoderKernels.CombineSegments<TSimd, TVector>(
            _grid.Segments, coordinates, columns, state.Reference, state.CoordinateSums, rows * (nint)columns, memory.Combined);
        int values = layer == 0 ? maps.Values0 : layer == 1 ? maps.Values1 : maps.Values2;
        for (int row = 0; row < FirstRow; row++) Copy(maps.Mask + (row * (nint)maps.MaskColumns) + values, memory.Matrix + (row * (nint)block), block);
        if (layer > 0) HeadProducts(state.Directions1, Rank, maps.Directions1 + values, maps.Columns, block, memory.Matrix + (FirstRow * (nint)block), block);
        if (layer > 1)
        {
            Copy(maps.BetweenValues2, memory.Matrix + (Deviation1Row * (nint)block), block);
            HeadProducts(state.Directions2, Rank, maps.Directions2 + values, maps.Columns, block, memory.Matrix + (SecondRow * (nint)block), block);
        }

        // Whole vectors of columns are multiplied: those that belong to the next head, or lie behind the end, are not read.
        int panelRows = DecoderMath.RoundUp(headWidth, DecoderKernels.BlockRows), width = DecoderMath.RoundUp(tokens, TSimd.Width);
        new Span<float>(memory.Combined + (columns * (nint)coordinates), tokens + 16).Clear();
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.PackPanelsTransposed(memory.Matrix + (head * headWidth), block, panelRows, coordinates, memory.HeadPanels);
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                memory.HeadPanels, PanelStride(coordinates), memory.Combined + (head * tokens), columns, coordinates,
                null, 0, memory.HeadValues, width, panelRows, width);
            for (int t = 0; t < tokens; t++)
            {
                float* target = memory.A + (((prompt * tokens) + t) * (nint)stride) + (head * headWidth);
                for (int c = 0; c < headWidth; c++) target[c] += memory.HeadValues[(c * width) + t];
            }
        }
    }

    // What a head's coordinates stand for: its tokens' values, or its channels themselves where the coordinates are sums of
    // values already.
    private void PackDirections(float* values, int prompt, float* directions, float* valuePanels)
    {
        int headWidth = _weights.HeadWidth, rank = Rank;
        if (rank == _tokens)
        {
            PackHeads(values, prompt, _tokens, directions);
            return;
        }

        int stride = DecoderMath.RoundUp(_weights.Inner, PackedLinear.BlockColumns), panelRows = DecoderMath.RoundUp(rank, DecoderKernels.BlockRows);
        new Span<float>(directions, Heads * panelRows * headWidth).Clear();
        for (int head = 0; head < Heads; head++)
        {
            float* panels = directions + (head * panelRows * headWidth);
            for (int i = 0; i < headWidth; i++)
                panels[(((i / DecoderKernels.BlockRows * headWidth) + i) * DecoderKernels.BlockRows) + (i % DecoderKernels.BlockRows)] = 1;
            DecoderKernels.PackPanelsTransposed(
                values + (prompt * (nint)_tokens * stride) + (head * headWidth), stride, panelRows, _tokens, valuePanels + (head * panelRows * _tokens));
        }
    }

    // matrix[(head, token), coordinate] = what the coordinate's direction contributes to the head's product with the token,
    // for the mask's and layer 0's coordinates. The map is to the heads' channels.
    private void Compose(float* panels, int tokens, float* directions, int map)
    {
        if (FirstRow > 0) ComposeMask(panels, tokens, map);
        Compose(panels, tokens, directions, _weights.Maps.Directions1 + map, FirstRow);
    }

    // The same for layer 1's.
    private void ComposeSecond(float* panels, int tokens, float* directions, int map) =>
        Compose(panels, tokens, directions, _weights.Maps.Directions2 + map, SecondRow);

    private void ComposeMask(float* panels, int tokens, int map)
    {
        int stride = _weights.Maps.MaskStride;
        HeadProducts(panels, tokens, _weights.Maps.MaskTurned + (map * (nint)stride), stride, stride, _tokenMemory.Matrix, MatrixStride);
    }

    private void Compose(float* panels, int tokens, float* directions, float* map, int first)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        int block = _weights.Maps.Block, width = DecoderMath.RoundUp(Coordinates, 16);
        HeadProducts(directions, Rank, map, _weights.Maps.Columns, block, memory.Maps, block);
        DecoderKernels.Transpose(memory.Maps, block, Coordinates, block, memory.TurnedMaps, width);
        HeadProducts(panels, tokens, memory.TurnedMaps, width, width, memory.Matrix + first, MatrixStride);
    }

    // The same for a coordinate whose map is one vector: destination[(head, token) stride].
    private void HeadDots(float* panels, int tokens, float* vector, float* destination, nint stride)
    {
        int headWidth = _weights.HeadWidth, panelRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows);
        for (int head = 0; head < Heads; head++)
        {
            for (int t = 0; t < tokens; t++)
            {
                float* row = panels + (((head * panelRows) + (t / DecoderKernels.BlockRows * DecoderKernels.BlockRows)) * headWidth) + (t % DecoderKernels.BlockRows);
                float sum = 0;
                for (int c = 0; c < headWidth; c++) sum += row[c * DecoderKernels.BlockRows] * vector[(head * headWidth) + c];
                destination[((head * tokens) + t) * stride] = sum;
            }
        }
    }

    private void PackMatrix(int rows, int columns, float* panels) =>
        DecoderKernels.PackPanels(_tokenMemory.Matrix, MatrixStride, rows, columns, panels);

    // Products of directions with all before them and with themselves. In the square of a sum every product of two different
    // parts is there twice: all are doubled in the end, so the own block counts half.
    private void PackLengths(int own, float* panels)
    {
        int columns = own + Coordinates;
        PackMatrix(Coordinates, columns, panels);
        for (int row = 0; row < Coordinates; row += DecoderKernels.BlockRows)
        {
            Span<float> block = new(panels + (row * (nint)columns) + ((own + row) * DecoderKernels.BlockRows), DecoderKernels.BlockRows * DecoderKernels.BlockRows);
            TensorPrimitives.Multiply(block, 0.5f, block);
        }
    }

    // Rows (head, token): a head's channels times the same head's rows of a matrix. The rows that fill a head's block are
    // overwritten by the next head, and lie behind the end for the last.
    private void HeadProducts(float* panels, int tokens, float* matrix, nint matrixStride, int columns, float* destination, nint stride)
    {
        int panelRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows), headWidth = _weights.HeadWidth;
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                panels + (head * panelRows * headWidth), PanelStride(headWidth), matrix + (head * headWidth * matrixStride), matrixStride, headWidth,
                null, 0, destination + (head * tokens * stride), stride, panelRows, columns);
        }
    }

    private void PackHeads(float* rows, int prompt, int tokens, float* panels)
    {
        int headWidth = _weights.HeadWidth, stride = DecoderMath.RoundUp(_weights.Inner, PackedLinear.BlockColumns);
        int panelRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows);
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.PackPanels(
                rows + (prompt * (nint)tokens * stride) + (head * headWidth), stride, tokens, headWidth, panels + (head * panelRows * headWidth));
        }
    }
}
