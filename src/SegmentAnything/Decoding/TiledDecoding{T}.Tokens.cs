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
            HeadPanels = arena.Take(Heads * (long)HeadRows * _weights.HeadWidth),
            HeadMatrix = arena.Take(((Heads * _tokens) + DecoderKernels.BlockRows) * (long)Channels),
            Combined = arena.Take(Math.Max((Columns * (long)Channels) + _tokens + 16, Heads * (long)HeadRows * _weights.ValueHeadStride)),
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
        for (int prompt = 0; prompt < prompts; prompt++) PackHeads(memory.A, prompt, _prompts[prompt].HeadPanels);
    }

    private void BetweenFirstAttentionAndLayer0(int prompts)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        ref readonly PackedLayer layer = ref _weights.Layers[0];
        int rows = prompts * _tokens, stride = layer.TokenToImage.Query.PaddedOutputs, headWidth = _weights.HeadWidth;
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly PromptMemory state = ref _prompts[prompt];
            DecoderKernels.CombineSegmentRows<TSimd, TVector>(
                _grid.Segments, Heads * HeadRows, _weights.ValueHeadStride, state.Reference, state.Sum, state.Accumulated, memory.Combined);
            for (int t = 0; t < _tokens; t++)
            {
                float* target = memory.A + (((prompt * _tokens) + t) * (nint)stride);
                for (int i = 0; i < _weights.Inner; i++)
                {
                    int head = i / headWidth;
                    target[i] = memory.Combined[((((head * HeadRows) + t) * (nint)_weights.ValueHeadStride)) + (i % headWidth)]
                        + layer.TokenToImage.ValueBias[i];
                }
            }
        }

        FinishLayer(layer, rows);
        PrepareImageToToken(layer.ImageToToken, prompts, projected: true);
        PrepareSecondTokenToImage(prompts);
    }

    private void BetweenLayer0AndLayer1(int prompts)
    {
        ref readonly PackedLayer layer = ref _weights.Layers[1];
        for (int prompt = 0; prompt < prompts; prompt++)
            ProjectValues(layer.TokenToImage, _prompts[prompt], prompt, _tokens, Columns);
        FinishLayer(layer, prompts * _tokens);
        PrepareImageToToken(layer.ImageToToken, prompts, projected: false);

        // The final attention: only the tokens that are read afterwards ask.
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        PackedTokenToImage final = _weights.FinalAttention;
        SelectFinalTokens(memory.Encoded, prompts, memory.B);
        Linear(final.Query, memory.B, Channels, prompts * FinalTokens, memory.A);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            float* queries = memory.A + (prompt * (nint)FinalTokens * final.Query.PaddedOutputs);
            KeyColumns(final, queries, FinalTokens, FinalColumns, _prompts[prompt]);
        }
    }

    // The last token work: predicted IoUs, and the weights of the wanted masks.
    private void FinishTokens(int prompts, float leastPredictedIou, float* predictedIou)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        int tokens = FinalTokens, rows = prompts * tokens;
        for (int prompt = 0; prompt < prompts; prompt++)
            ProjectValues(_weights.FinalAttention, _prompts[prompt], prompt, tokens, FinalColumns);
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
            for (int mask = 0; mask < _masks; mask++)
                predictedIou[(prompt * _masks) + mask] = iou[(prompt * iouStride) + _firstMask + mask];
        }

        for (int mask = 0; mask < _masks; mask++)
        {
            PackedLinear[] layers = _weights.Hyper[_firstMask + mask];
            float* hyper = Mlp(layers, memory.Queries + ((1 + mask) * Channels), tokens * Channels, prompts);
            for (int prompt = 0; prompt < prompts; prompt++)
            {
                // NaN is not less: whoever asked decides.
                if (predictedIou[(prompt * _masks) + mask] < leastPredictedIou) continue;
                ref PromptMemory state = ref _prompts[prompt];
                for (int c = 0; c < Channels / 8; c++)
                    state.Hyper[(c * TiledDecoderWeights.MaskTokens) + state.UpscaledCount] = hyper[(prompt * layers[^1].PaddedOutputs) + c];
                state.Upscaled |= 1 << mask;
                state.UpscaledCount++;
            }
        }
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

    // Keys and values that the image asks for. Where its queries were projected once, keys are kept as they are;
    // elsewhere they are multiplied into the query weights: scores = keys (Wq x + bq).
    private void PrepareImageToToken(in PackedImageToToken attention, int prompts, bool projected)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        int rows = prompts * _tokens, heads = Heads * _tokens, stride = attention.Key.PaddedOutputs;
        Linear(attention.Key, memory.Encoded, Channels, rows, memory.A);
        Linear(attention.Value, memory.Queries, Channels, rows, memory.B);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly PromptMemory state = ref _prompts[prompt];
            PackHeads(memory.A, prompt, state.HeadPanels);
            if (!projected)
            {
                HeadProducts(state.HeadPanels, _tokens, attention.QueryRows);
                DecoderKernels.PackPanels(memory.HeadMatrix, Channels, heads, Channels, state.QueryPanels);
                for (int row = 0; row < heads; row++)
                {
                    int head = row / _tokens * _weights.HeadWidth;
                    float* key = memory.A + (((prompt * _tokens) + (row % _tokens)) * (nint)stride) + head;
                    state.QueryBias[row] = TensorPrimitives.Dot(
                        new ReadOnlySpan<float>(key, _weights.HeadWidth), new ReadOnlySpan<float>(attention.QueryBias + head, _weights.HeadWidth));
                }
            }

            // A head's weights sum to 1, so the output's bias may be added to all values of one head.
            PackHeads(memory.B, prompt, memory.HeadPanels);
            HeadProducts(memory.HeadPanels, _tokens, attention.OutputRows);
            for (int t = 0; t < _tokens; t++)
                Add(memory.HeadMatrix + (t * Channels), attention.OutputBias, memory.HeadMatrix + (t * Channels), Channels);
            DecoderKernels.PackPanelsTransposed(memory.HeadMatrix, Channels, Channels, heads, state.OutputPanels);
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
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            float* queries = memory.A + (prompt * (nint)_tokens * layer.TokenToImage.Query.PaddedOutputs);
            KeyColumns(layer.TokenToImage, queries, _tokens, Columns, _prompts[prompt]);
        }
    }

    // Scores = queries (Wk x): what the image's channels are multiplied with, one column a head and token.
    private void KeyColumns(in PackedTokenToImage attention, float* queries, int tokens, int columns, in PromptMemory state)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        int panelRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows), headWidth = _weights.HeadWidth;
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.PackPanels(
                queries + (head * headWidth), attention.Query.PaddedOutputs, tokens, headWidth, memory.HeadPanels + (head * panelRows * headWidth));
        }

        HeadProducts(memory.HeadPanels, tokens, attention.KeyRows);
        DecoderKernels.Transpose(memory.HeadMatrix, Heads * tokens, Channels, state.KeyColumns, columns);
    }

    // The end of a re-associated token-to-image attention: joins the segments, and projects the attended keys to values, into A.
    private void ProjectValues(in PackedTokenToImage attention, in PromptMemory state, int prompt, int tokens, int columns)
    {
        ref readonly TokenMemory memory = ref _memoryOfTokens;
        DecoderKernels.CombineSegmentColumns<TSimd, TVector>(
            _grid.Segments, Channels, columns, state.Reference, state.Sum, state.Accumulated, memory.Combined);
        int headWidth = _weights.HeadWidth, stride = attention.Query.PaddedOutputs;
        int panelRows = DecoderMath.RoundUp(headWidth, DecoderKernels.BlockRows), width = DecoderMath.RoundUp(tokens, TSimd.Width);

        // Whole vectors of columns are multiplied: those that belong to the next head, or lie behind the end, are not read.
        new Span<float>(memory.Combined + (columns * (nint)Channels), tokens + 16).Clear();
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                attention.ValuePanels + (head * panelRows * (nint)Channels), Channels * DecoderKernels.BlockRows,
                memory.Combined + (head * tokens), columns, Channels, null, 0, memory.HeadValues, width, panelRows, width);
            for (int t = 0; t < tokens; t++)
            {
                float* target = memory.A + (((prompt * tokens) + t) * (nint)stride) + (head * headWidth);
                for (int c = 0; c < headWidth; c++)
                    target[c] = memory.HeadValues[(c * width) + t] + attention.ValueBias[(head * headWidth) + c];
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

    // Rows (head, token) of the matrix: a head's channels times the same head's rows of a weight. The rows that fill a head's
    // block are overwritten by the next head, and lie behind the end for the last.
    private void HeadProducts(float* panels, int tokens, float* weightRows)
    {
        int panelRows = DecoderMath.RoundUp(tokens, DecoderKernels.BlockRows), headWidth = _weights.HeadWidth;
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                panels + (head * panelRows * headWidth), headWidth * DecoderKernels.BlockRows,
                weightRows + (head * headWidth * (nint)Channels), Channels, headWidth,
                null, 0, _memoryOfTokens.HeadMatrix + (head * tokens * (nint)Channels), Channels, panelRows, Channels);
        }
    }

    private void PackHeads(float* rows, int prompt, float* panels)
    {
        int headWidth = _weights.HeadWidth, stride = DecoderMath.RoundUp(_weights.Inner, PackedLinear.BlockColumns);
        for (int head = 0; head < Heads; head++)
        {
            DecoderKernels.PackPanels(
                rows + (prompt * (nint)_tokens * stride) + (head * headWidth), stride, _tokens, headWidth, panels + (head * HeadRows * headWidth));
        }
    }

    private void SelectFinalTokens(float* rows, int prompts, float* destination)
    {
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            float* source = rows + (prompt * (nint)_tokens * Channels);
            float* target = destination + (prompt * (nint)FinalTokens * Channels);
            Copy(source, target, Channels);
            Copy(source + ((1 + _firstMask) * Channels), target + Channels, _masks * Channels);
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
        DecoderKernels.LayerNormRows<TSimd, TVector>(rows, count, Channels, norm.Weight, norm.Bias, 1e-5f);

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

        /// <summary>One prompt's heads, packed: [H][panel][head width][8].</summary>
        public float* HeadPanels;

        /// <summary>One prompt's heads multiplied with weights: [H T][C], and 8 rows behind.</summary>
        public float* HeadMatrix;

        /// <summary>What one prompt's tokens attended to: [C][R].</summary>
        public float* Combined;

        /// <summary>One head's values: [head width][T].</summary>
        public float* HeadValues;

        /// <summary>One row of self attention.</summary>
        public float* Scores;
    }
}
