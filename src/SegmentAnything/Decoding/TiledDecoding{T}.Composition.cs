using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
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
        for (int row = 0; row < MaskRows; row++) Copy(maps.Mask + (row * (nint)maps.MaskColumns) + values, memory.Matrix + (row * (nint)block), block);
        if (layer > 0) Copy(state.BaseMaps + values, memory.Matrix + (OneRow * (nint)block), block);
        if (layer > 0) HeadProducts(state.Directions1, Rank, maps.Directions1 + values, maps.Columns, block, memory.Matrix + (FirstRow * (nint)block), block);
        if (layer > 1)
        {
            Copy(state.BetweenMaps + values, memory.Matrix + (Deviation1Row * (nint)block), block);
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

    // What a head's coordinates stand for: its tokens' values, less the first's, which are their base; or the head's channels
    // themselves where the coordinates are sums of values already.
    private void PackDirections(float* values, int prompt, float* directions, float* bases, float* valuePanels)
    {
        int headWidth = _weights.HeadWidth, rank = Rank, inner = _weights.Inner;
        int stride = DecoderMath.RoundUp(inner, PackedLinear.BlockColumns);
        if (HasWeightsAsCoordinates)
        {
            float* first = values + (prompt * (nint)_tokens * stride), others = first + stride;
            Copy(first, bases, inner);
            for (int row = 0; row < rank; row++)
            {
                Span<float> other = new(others + (row * stride), inner);
                TensorPrimitives.Subtract(other, new ReadOnlySpan<float>(bases, inner), other);
            }

            PackHeads(others, rank, directions);
            return;
        }

        new Span<float>(bases, inner).Clear();
        int panelRows = DecoderMath.RoundUp(rank, DecoderKernels.BlockRows);
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
    private void Compose(float* panels, int tokens, in TiledPromptMemory state, int map)
    {
        if (MaskRows > 0) ComposeMask(panels, tokens, map);
        HeadDots(panels, tokens, state.BaseMaps + map, _tokenMemory.Matrix + OneRow, MatrixStride);
        Compose(panels, tokens, state.Directions1, _weights.Maps.Directions1 + map, FirstRow);
    }

    // The same for those that come behind.
    private void ComposeSecond(float* panels, int tokens, in TiledPromptMemory state, int map)
    {
        HeadDots(panels, tokens, state.BetweenMaps + map, _tokenMemory.Matrix + Deviation1Row, MatrixStride);
        Compose(panels, tokens, state.Directions2, _weights.Maps.Directions2 + map, SecondRow);
    }

    // The maps of the first base's direction, and the squares and products that its lengths take.
    private void ComposeBase1(ref TiledPromptMemory state)
    {
        ImageMaps maps = _weights.Maps;
        DecoderKernels.VectorProduct<TSimd, TVector>(state.Base1, _weights.Inner, maps.Directions1, maps.Columns, maps.Columns, null, state.BaseMaps);
        state.BaseSquare = Dot(state.Base1, state.BaseMaps + ImageMaps.Length1);
        state.WeightedBaseSquare = Dot(state.Base1, state.BaseMaps + maps.Length2First);
        for (int row = 0; row < MaskRows; row++)
        {
            float* mask = maps.Mask + (row * (nint)maps.MaskColumns);
            state.MaskBase1[row] = Dot(state.Base1, mask + ImageMaps.Length1);
            state.WeightedMaskBase1[row] = Dot(state.Base1, mask + maps.Length2First);
        }
    }

    // The same of what comes between both LayerNorms: the model's own, and the second base. The products with layer 0's directions
    // go through their heads' channels.
    private void ComposeBetween(ref TiledPromptMemory state)
    {
        ImageMaps maps = _weights.Maps;
        int inner = _weights.Inner;
        DecoderKernels.VectorProduct<TSimd, TVector>(state.Base2, inner, maps.Directions2, maps.Columns, maps.Columns, maps.BetweenMaps, state.BetweenMaps);

        // The model's own products with the base are in both terms; each is there once.
        state.BetweenSquare = maps.BetweenSquare + Dot(state.Base2, maps.BetweenMaps + maps.Length2Second) + Dot(state.Base2, state.BetweenMaps + maps.Length2Second);
        for (int row = 0; row < MaskRows; row++) state.MaskBase2[row] = Dot(state.Base2, maps.Mask + (row * (nint)maps.MaskColumns) + maps.Length2Second);
        float* products = _tokenMemory.Maps;
        for (int d = 0; d < inner; d++) products[d] = maps.BetweenFirst[d] + Dot(state.Base2, maps.Directions1 + (d * (nint)maps.Columns) + maps.Length2Second);
        state.BetweenProducts[0] = Dot(state.Base1, products);
        HeadDots(state.Directions1, Rank, products, state.BetweenProducts + 1, 1);
    }

    private float Dot(float* bases, float* vector) =>
        TensorPrimitives.Dot(new ReadOnlySpan<float>(bases, _weights.Inner), new ReadOnlySpan<float>(vector, _weights.Inner));

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
            for (int first = 0; first < tokens; first += DecoderKernels.BlockRows)
            {
                float* panel = panels + (((head * panelRows) + first) * headWidth);
                Vector256<float> sums = default;
                for (int c = 0; c < headWidth; c++)
                    sums = Vector256.MultiplyAddEstimate(Vector256.Load(panel + (c * DecoderKernels.BlockRows)), Vector256.Create(vector[(head * headWidth) + c]), sums);
                for (int t = first; t < Math.Min(tokens, first + DecoderKernels.BlockRows); t++) destination[((head * tokens) + t) * stride] = sums[t - first];
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

    private void PackHeads(float* rows, int prompt, int tokens, float* panels) =>
        PackHeads(rows + (prompt * (nint)tokens * DecoderMath.RoundUp(_weights.Inner, PackedLinear.BlockColumns)), tokens, panels);

    private void PackHeads(float* rows, int tokens, float* panels)
    {
        int headWidth = _weights.HeadWidth, stride = DecoderMath.RoundUp(_weights.Inner, PackedLinear.BlockColumns);
        int panelRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows);
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.PackPanels(
                rows + (head * headWidth), stride, tokens, headWidth, panels + (head * panelRows * headWidth));
        }
    }
}
