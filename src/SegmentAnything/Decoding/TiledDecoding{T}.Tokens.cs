using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>What is done to the tokens between the passes. Token matrices are row-major, prompt after prompt.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    /// <summary>Multiply-adds of a linear layer that are worth waking the other threads for: some ten microseconds.</summary>
    private const long LeastSplitProduct = 400_000;

    /// <summary>Inputs of a linear layer that are multiplied at a time.</summary>
    private const int LinearSteps = 256;

    private TokenMemory _memoryOfTokens;

    // The linear layer in progress.
    private PackedLinear _linear;
    private int _linearRows;
    private float* _linearResult;

    private void PlaceTokens(ref FloatArena arena, int prompts)
    {
        long rows = DecoderMath.RoundUp(prompts * _tokens, DecoderKernels.BlockRows);
        int widest = Math.Max(Channels, Math.Max(_weights.SelfInner, _weights.Inner));
        foreach (PackedLinear layer in _weights.IouHead) widest = Math.Max(widest, layer.PaddedOutputs);
        widest = DecoderMath.RoundUp(widest, PackedLinear.BlockColumns);
        long hidden = Math.Max(widest, DecoderMath.RoundUp(_weights.MlpWidth, PackedLinear.BlockColumns));
        _memoryOfTokens = new TokenMemory
        {
            Encoding = arena.Take(rows * Channels),
            Queries = arena.Take(rows * Channels),
            Encoded = arena.Take(rows * widest),
            A = arena.Take(rows * widest),
            B = arena.Take(rows * widest),
            C = arena.Take(rows * widest),
            Hidden = arena.Take(rows * hidden),
            Panels = arena.Take(rows * hidden),
            Matrix = arena.Take(Math.Max(MatrixRows * MatrixStride, (Deviation2Row + 2 + DecoderKernels.BlockRows) * (long)Math.Max(Channels, _weights.Maps.Block))),
            Maps = arena.Take((Coordinates + DecoderKernels.BlockRows) * (long)_weights.Maps.Block),
            TurnedMaps = arena.Take(_weights.Maps.Block * (long)DecoderMath.RoundUp(Coordinates, 16)),
            Combined = arena.Take(((Deviation2Row + DecoderKernels.BlockRows) * (long)DecoderMath.RoundUp(Heads * _tokens, TSimd.Width)) + _tokens + 16),
            HeadPanels = arena.Take((_weights.HeadWidth + DecoderKernels.BlockRows) * (long)(Deviation2Row + 1)),
            HeadValues = arena.Take((_weights.HeadWidth + DecoderKernels.BlockRows) * (_tokens + 16L)),
            Scores = arena.Take(_tokens),
        };
    }

    // The queries of layer 0's token-to-image attention.
    private void BeginTokens(float* sparse, int prompts)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        ref readonly PackedLayer layer = ref _weights.Layers[0];
        int outputs = TiledDecoderWeights.OutputTokens * Channels, given = (_tokens * Channels) - outputs;
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            float* row = memory.Encoding + (prompt * (nint)_tokens * Channels);
            Copy(_weights.OutputTokenRows, row, outputs);
            Copy(sparse + (prompt * (nint)given), row + outputs, given);
        }

        // Here only, self attention has neither a residual nor a positional term: the tokens are their own encoding.
        int rows = prompts * _tokens;
        SelfAttention(layer, memory.Encoding, memory.Encoding, memory.Queries, prompts);
        Norm(layer.Norm1, memory.Queries, rows);
        Add(memory.Queries, memory.Encoding, memory.Encoded, rows * Channels);
        Linear(layer.TokenToImage.Query, memory.Encoded, Channels, rows, memory.A);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly PromptMemory state = ref _prompts[prompt];
            PackHeads(memory.A, prompt, _tokens, state.QueryPanels);
            if (FirstRow == 0) continue;
            ComposeMask(state.QueryPanels, _tokens, _weights.Maps.Keys0);
            PackMatrix(Heads * _tokens, FirstRow, state.ScorePanels);
        }
    }

    private void BetweenFirstAttentionAndLayer0(int prompts)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        ref readonly PackedLayer layer = ref _weights.Layers[0];
        ImageMaps maps = _weights.Maps;
        for (int prompt = 0; prompt < prompts; prompt++) GatherValues(0, prompt, _tokens, FirstRow);
        FinishLayer(layer, prompts * _tokens);
        PrepareImageToToken(layer.ImageToToken, prompts);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly PromptMemory state = ref _prompts[prompt];
            PackDirections(memory.B, prompt, state.Directions1, state.Values);
            Compose(state.Directions1, Rank, state.Directions1, ImageMaps.Length1);
            PackLengths(FirstRow, state.LengthPanels);
            if (FirstRow == 0) continue;
            ComposeMask(state.KeyPanels, _tokens, maps.Queries0);
            PackMatrix(Heads * _tokens, FirstRow, state.ImageScorePanels);
        }

        PrepareSecondTokenToImage(prompts);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly PromptMemory state = ref _prompts[prompt];
            PackHeads(memory.A, prompt, _tokens, state.QueryPanels);
            Compose(state.QueryPanels, _tokens, state.Directions1, maps.Keys1);
            PackMatrix(Heads * _tokens, Deviation1Row, state.ScorePanels);
        }
    }

    private void BetweenLayer0AndLayer1(int prompts)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        ref readonly PackedLayer layer = ref _weights.Layers[1];
        ImageMaps maps = _weights.Maps;
        for (int prompt = 0; prompt < prompts; prompt++) GatherValues(1, prompt, _tokens, Deviation1Row);
        FinishLayer(layer, prompts * _tokens);
        PrepareImageToToken(layer.ImageToToken, prompts);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly PromptMemory state = ref _prompts[prompt];
            PackDirections(memory.B, prompt, state.Directions2, state.Values);
            Compose(state.KeyPanels, _tokens, state.Directions1, maps.Queries1);
            PackMatrix(Heads * _tokens, Deviation1Row, state.ImageScorePanels);
            Compose(state.Directions1, Rank, state.Directions1, maps.Length2First);
            PackLengths(FirstRow, state.LengthPanels);
            HeadDots(state.Directions1, Rank, maps.BetweenFirst, state.BetweenProducts, 1);
            Compose(state.Directions2, Rank, state.Directions1, maps.Length2Second);
            HeadDots(state.Directions2, Rank, maps.BetweenSecond, memory.Matrix + Deviation1Row, MatrixStride);
            ComposeSecond(state.Directions2, Rank, state.Directions2, maps.Length2Second);
            PackLengths(SecondRow, state.SecondLengthPanels);
        }

        // The final attention: only the tokens that are read afterwards ask.
        PackedLinear query = _weights.FinalAttention.Query;
        SelectFinalTokens(memory.Encoded, prompts, memory.B);
        Linear(query, memory.B, Channels, prompts * FinalTokens, memory.A);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly PromptMemory state = ref _prompts[prompt];
            PackHeads(memory.A, prompt, FinalTokens, state.QueryPanels);
            Compose(state.QueryPanels, FinalTokens, state.Directions1, maps.Keys2);
            HeadDots(state.QueryPanels, FinalTokens, maps.BetweenKeys2, memory.Matrix + Deviation1Row, MatrixStride);
            ComposeSecond(state.QueryPanels, FinalTokens, state.Directions2, maps.Keys2);
            PackMatrix(Heads * FinalTokens, Deviation2Row, state.ScorePanels);
        }
    }

    // The last token work: predicted IoUs, and the weights of the wanted masks.
    private void FinishTokens(int prompts, float* predictedIou)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        int tokens = FinalTokens, rows = prompts * tokens;
        for (int prompt = 0; prompt < prompts; prompt++)
            GatherValues(2, prompt, tokens, Deviation2Row);
        Linear(_weights.FinalAttention.Output, memory.A, _weights.FinalAttention.Query.PaddedOutputs, rows, memory.B);
        SelectFinalTokens(memory.Queries, prompts, memory.C);
        Add(memory.B, memory.C, memory.Queries, rows * Channels);
        Norm(_weights.FinalNorm, memory.Queries, rows);

        float* iou = Mlp(_weights.IouHead, memory.Queries, tokens * Channels, prompts);
        int iouStride = _weights.IouHead[^1].PaddedOutputs;
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref PromptMemory state = ref _prompts[prompt];
            new Span<float>(state.Hyper, Channels / 8 * TiledDecoderWeights.MaskTokens).Clear();
            state.Upscaled = 0;
            state.UpscaledCount = 0;
            for (int mask = 0; mask < _wanted.Count; mask++)
                predictedIou[(prompt * _wanted.Count) + mask] = iou[(prompt * iouStride) + _wanted.First + mask];
        }

        for (int mask = 0; mask < _wanted.Count; mask++)
        {
            PackedLinear[] layers = _weights.Hyper[_wanted.First + mask];
            float* hyper = Mlp(layers, memory.Queries + ((1 + mask) * Channels), tokens * Channels, prompts);
            for (int prompt = 0; prompt < prompts; prompt++)
            {
                // NaN is not less: whoever asked decides.
                if (predictedIou[(prompt * _wanted.Count) + mask] < _wanted.LeastPredictedIou) continue;
                ref PromptMemory state = ref _prompts[prompt];
                for (int c = 0; c < Channels / 8; c++)
                    state.Hyper[(c * TiledDecoderWeights.MaskTokens) + state.UpscaledCount] = hyper[(prompt * layers[^1].PaddedOutputs) + c];
                state.Upscaled |= 1 << mask;
                state.UpscaledCount++;
            }
        }

        for (int prompt = 0; prompt < prompts; prompt++)
        {
            if (_prompts[prompt].UpscaledCount > 0) PrepareUpscaling(_prompts[prompt]);
        }
    }

    // The first transposed convolution of every coordinate's direction.
    private void PrepareUpscaling(in PromptMemory state)
    {
        ImageMaps maps = _weights.Maps;
        float* matrix = _memoryOfTokens.Matrix;
        for (int row = 0; row < FirstRow; row++) Copy(maps.Mask + (row * (nint)maps.MaskColumns) + maps.Upscale, matrix + (row * (nint)Channels), Channels);
        HeadProducts(state.Directions1, Rank, maps.Directions1 + maps.Upscale, maps.Columns, Channels, matrix + (FirstRow * (nint)Channels), Channels);
        Copy(maps.BetweenUpscale, matrix + (Deviation1Row * (nint)Channels), Channels);
        HeadProducts(state.Directions2, Rank, maps.Directions2 + maps.Upscale, maps.Columns, Channels, matrix + (SecondRow * (nint)Channels), Channels);
        Copy(maps.UpscaleBias, matrix + (Deviation2Row * (nint)Channels), Channels);
        DecoderKernels.PackPanelsTransposed(matrix, Channels, Channels, Deviation2Row + 1, state.UpscalePanels);
    }

    // From the attention's values in A: output, residual, LN2, MLP, LN3. Leaves queries + encoding in Encoded.
    private void FinishLayer(in PackedLayer layer, int rows)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        Linear(layer.TokenToImage.Output, memory.A, layer.TokenToImage.Query.PaddedOutputs, rows, memory.B);
        Add(memory.Queries, memory.B, memory.Queries, rows * Channels);
        Norm(layer.Norm2, memory.Queries, rows);
        Linear(layer.Mlp1, memory.Queries, Channels, rows, memory.Hidden);
        Rectify(memory.Hidden, rows * layer.Mlp1.PaddedOutputs);
        Linear(layer.Mlp2, memory.Hidden, layer.Mlp1.PaddedOutputs, rows, memory.B);
        Add(memory.Queries, memory.B, memory.Queries, rows * Channels);
        Norm(layer.Norm3, memory.Queries, rows);
        Add(memory.Queries, memory.Encoding, memory.Encoded, rows * Channels);
    }

    // Keys and values that the image asks for: keys into panels, values into B.
    private void PrepareImageToToken(in PackedImageToToken attention, int prompts)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        int rows = prompts * _tokens;
        Linear(attention.Key, memory.Encoded, Channels, rows, memory.A);
        for (int prompt = 0; prompt < prompts; prompt++) PackHeads(memory.A, prompt, _tokens, _prompts[prompt].KeyPanels);
        Linear(attention.Value, memory.Queries, Channels, rows, memory.B);
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

    // Layer 1 begins: self attention with residual and positional term, then the queries of its token-to-image attention.
    private void PrepareSecondTokenToImage(int prompts)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        ref readonly PackedLayer layer = ref _weights.Layers[1];
        int rows = prompts * _tokens;
        SelfAttention(layer, memory.Encoded, memory.Queries, memory.Encoded, prompts);
        Add(memory.Queries, memory.Encoded, memory.Queries, rows * Channels);
        Norm(layer.Norm1, memory.Queries, rows);
        Add(memory.Queries, memory.Encoding, memory.Encoded, rows * Channels);
        Linear(layer.TokenToImage.Query, memory.Encoded, Channels, rows, memory.A);
    }

    // The end of a token-to-image attention: joins the segments, and applies to the summed coordinates what they stand for,
    // into A.
    private void GatherValues(int layer, int prompt, int tokens, int coordinates)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        ref readonly PromptMemory state = ref _prompts[prompt];
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

    private void SelfAttention(in PackedLayer layer, float* encoded, float* values, float* destination, int prompts)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        int rows = prompts * _tokens, stride = layer.SelfQuery.PaddedOutputs;
        Linear(layer.SelfQuery, encoded, Channels, rows, memory.A);
        Linear(layer.SelfKey, encoded, Channels, rows, memory.B);
        Linear(layer.SelfValue, values, Channels, rows, memory.C);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            nint first = prompt * (nint)_tokens * stride;
            DecoderKernels.TokenAttention(
                memory.A + first, memory.B + first, memory.C + first, _tokens, Heads, _weights.SelfInner / Heads, stride, memory.Scores,
                memory.Hidden + first);
        }

        Linear(layer.SelfOutput, memory.Hidden, stride, rows, destination);
    }

    /// <summary>Floats from one row of <see cref="TokenMemory.Matrix"/> to the next: up to three parts of whole vectors.</summary>
    private int MatrixStride => DecoderMath.RoundUp(SecondRow + DecoderMath.RoundUp(Coordinates, 16), 16);

    /// <summary>Its rows: any head's tokens, and those that fill the last block.</summary>
    private long MatrixRows => (Heads * (long)Math.Max(_tokens, Rank)) + DecoderKernels.BlockRows;

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
        HeadProducts(panels, tokens, _weights.Maps.MaskTurned + (map * (nint)stride), stride, stride, _memoryOfTokens.Matrix, MatrixStride);
    }

    private void Compose(float* panels, int tokens, float* directions, float* map, int first)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
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
        DecoderKernels.PackPanels(_memoryOfTokens.Matrix, MatrixStride, rows, columns, panels);

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

    private void SelectFinalTokens(float* rows, int prompts, float* destination)
    {
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            float* source = rows + (prompt * (nint)_tokens * Channels);
            float* target = destination + (prompt * (nint)FinalTokens * Channels);
            Copy(source, target, Channels);
            Copy(source + ((1 + _wanted.First) * Channels), target + Channels, _wanted.Count * Channels);
        }
    }

    // Returns where the result is; row stride = the last layer's padded outputs.
    private float* Mlp(PackedLinear[] layers, float* x, int stride, int rows)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        for (int layer = 0; layer < layers.Length; layer++)
        {
            float* y = layer % 2 == 0 ? memory.A : memory.B;
            Linear(layers[layer], x, stride, rows, y);
            x = y;
            stride = layers[layer].PaddedOutputs;
            if (layer < layers.Length - 1) Rectify(x, rows * stride);
        }

        return x;
    }

    // y = x W' + b. The rows are packed first, so x may be y.
    private void Linear(in PackedLinear layer, float* x, int stride, int rows, float* y)
    {
        DecoderKernels.PackPanels(x, stride, rows, layer.Inputs, _memoryOfTokens.Panels);
        _linear = layer;
        _linearRows = DecoderMath.RoundUp(rows, DecoderKernels.BlockRows);
        _linearResult = y;
        int blocks = layer.PaddedOutputs / PackedLinear.BlockColumns;
        if ((long)_linearRows * layer.Inputs * layer.PaddedOutputs >= LeastSplitProduct)
        {
            Run(Phase.Linear, blocks);
            return;
        }

        for (int block = 0; block < blocks; block++) LinearBlock(block);
    }

    private void LinearBlock(int block)
    {
        int column = block * PackedLinear.BlockColumns, inputs = _linear.Inputs, stride = _linear.PaddedOutputs;
        nint panel = inputs * DecoderKernels.BlockRows;
        float* weight = _linear.Weight + (column * (nint)inputs), end = _linear.Weight + (stride * (nint)inputs);
        float* result = _linearResult + column;

        // In parts of 32 KB, the next of which comes from far away meanwhile.
        for (int first = 0; first < inputs; first += LinearSteps)
        {
            int steps = Math.Min(LinearSteps, inputs - first);
            float* panels = _memoryOfTokens.Panels + (first * DecoderKernels.BlockRows);
            float* next = weight + (steps * PackedLinear.BlockColumns);
            int nextLines = (int)Math.Min(LinearSteps * PackedLinear.BlockColumns, end - next) / (16 * _linearRows);
            if (first == 0)
            {
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromColumnBias>(
                    panels, panel, weight, PackedLinear.BlockColumns, steps, _linear.Bias + column, 0, result, stride,
                    _linearRows, PackedLinear.BlockColumns, next, nextLines);
            }
            else
            {
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
                    panels, panel, weight, PackedLinear.BlockColumns, steps, result, stride, result, stride,
                    _linearRows, PackedLinear.BlockColumns, next, nextLines);
            }

            weight = next;
        }
    }

    private void Norm(in PackedNorm norm, float* rows, int count) =>
        DecoderKernels.LayerNormRows<TSimd, TVector>(rows, count, Channels, norm.Weight, norm.Bias, _weights.NormEpsilon);

    private static void Add(float* left, float* right, float* destination, int count) =>
        TensorPrimitives.Add(new ReadOnlySpan<float>(left, count), new ReadOnlySpan<float>(right, count), new Span<float>(destination, count));

    private static void Rectify(float* values, int count) =>
        TensorPrimitives.Max(new ReadOnlySpan<float>(values, count), 0f, new Span<float>(values, count));

    private static void Copy(float* source, float* destination, int count) =>
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(destination, count));

    /// <summary>Token matrices of all prompts of a visit, one row a token, filled up to blocks of 8 rows.</summary>
    private struct TokenMemory
    {
        /// <summary>The tokens as they came, which are also their positional encoding: C wide.</summary>
        public float* Encoding;

        /// <summary>The tokens as they are now: C wide.</summary>
        public float* Queries;

        /// <summary>Queries + encoding.</summary>
        public float* Encoded;

        /// <summary>Intermediate results, as wide as the widest of them.</summary>
        public float* A, B, C;

        /// <summary>Between the MLP's layers, and self attention's values.</summary>
        public float* Hidden;

        /// <summary>The packed left factor of a linear layer.</summary>
        public float* Panels;

        /// <summary>A prompt's matrix before it is packed: [H T][<see cref="MatrixStride"/>], or [coordinate][C].</summary>
        public float* Matrix;

        /// <summary>Its directions' maps, and the same turned: [R][block], [block][R].</summary>
        public float* Maps, TurnedMaps;

        /// <summary>Its summed coordinates: [coordinate][H Q].</summary>
        public float* Combined;

        /// <summary>What they stand for in one head's values: [panel][coordinate][8], rows are channels.</summary>
        public float* HeadPanels;

        /// <summary>One head's values: [head width][T].</summary>
        public float* HeadValues;

        /// <summary>One row of self attention.</summary>
        public float* Scores;
    }
}
