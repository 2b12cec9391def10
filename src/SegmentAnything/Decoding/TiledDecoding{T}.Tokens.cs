using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>What is done to the tokens between the passes. Token matrices are row-major, prompt after prompt.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    // The queries of layer 0's token-to-image attention.
    private void ComputeFirstQueries(float* sparse, int prompts)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        ref readonly PackedLayer layer = ref _weights.Layers[0];
        int outputs = _weights.OutputTokens * Channels, given = (_tokens * Channels) - outputs;
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
            ref readonly TiledPromptMemory state = ref _prompts[prompt];
            PackHeads(memory.A, prompt, _tokens, state.QueryPanels);
            if (MaskRows == 0) continue;
            ComposeMask(state.QueryPanels, _tokens, _weights.Maps.Keys0);
            PackMatrix(Heads * _tokens, MaskRows, state.ScorePanels);
        }
    }

    private void ComputeLayer0Matrices(int prompts)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        ref readonly PackedLayer layer = ref _weights.Layers[0];
        ImageMaps maps = _weights.Maps;
        for (int prompt = 0; prompt < prompts; prompt++) ComputeAttendedValues(0, prompt, _tokens, MaskRows);
        AddAttentionAndMlp(layer, prompts * _tokens);
        ComputeKeysAndValues(layer.ImageToToken, prompts);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref TiledPromptMemory state = ref _prompts[prompt];
            PackDirections(memory.B, prompt, state.Directions1, state.Base1, state.Values);
            ComposeBase1(ref state);
            Compose(state.Directions1, Rank, state, ImageMaps.Length1);
            PackLengths(FirstRow, state.LengthPanels);
            if (MaskRows == 0) continue;
            ComposeMask(state.KeyPanels, _tokens, maps.Queries0);
            PackMatrix(Heads * _tokens, MaskRows, state.ImageScorePanels);
        }

        ComputeLayer1Queries(prompts);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly TiledPromptMemory state = ref _prompts[prompt];
            PackHeads(memory.A, prompt, _tokens, state.QueryPanels);
            Compose(state.QueryPanels, _tokens, state, maps.Keys1);
            PackMatrix(Heads * _tokens, Deviation1Row, state.ScorePanels);
        }
    }

    private void ComputeLayer1Matrices(int prompts)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        ref readonly PackedLayer layer = ref _weights.Layers[1];
        ImageMaps maps = _weights.Maps;
        for (int prompt = 0; prompt < prompts; prompt++) ComputeAttendedValues(1, prompt, _tokens, Deviation1Row);
        AddAttentionAndMlp(layer, prompts * _tokens);
        ComputeKeysAndValues(layer.ImageToToken, prompts);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref TiledPromptMemory state = ref _prompts[prompt];
            PackDirections(memory.B, prompt, state.Directions2, state.Base2, state.Values);
            ComposeBetween(ref state);
            Compose(state.KeyPanels, _tokens, state, maps.Queries1);
            PackMatrix(Heads * _tokens, Deviation1Row, state.ImageScorePanels);
            Compose(state.Directions1, Rank, state, maps.Length2First);
            PackLengths(FirstRow, state.LengthPanels);
            Compose(state.Directions2, Rank, state, maps.Length2Second);
            ComposeSecond(state.Directions2, Rank, state, maps.Length2Second);
            PackLengths(SecondRow, state.SecondLengthPanels);
        }

        // The final attention: only the tokens that are read afterwards ask.
        PackedLinear query = _weights.FinalAttention.Query;
        SelectFinalTokens(memory.Encoded, prompts, memory.B);
        Linear(query, memory.B, Channels, prompts * FinalTokens, memory.A);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref readonly TiledPromptMemory state = ref _prompts[prompt];
            PackHeads(memory.A, prompt, FinalTokens, state.QueryPanels);
            Compose(state.QueryPanels, FinalTokens, state, maps.Keys2);
            ComposeSecond(state.QueryPanels, FinalTokens, state, maps.Keys2);
            PackMatrix(Heads * FinalTokens, Deviation2Row, state.ScorePanels);
        }
    }

    // The last token work: predicted IoUs, and the weights of the wanted masks.
    private void ComputeIouAndMaskWeights(int prompts, float* predictedIou)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        int tokens = FinalTokens, rows = prompts * tokens;
        for (int prompt = 0; prompt < prompts; prompt++)
            ComputeAttendedValues(2, prompt, tokens, Deviation2Row);
        Linear(_weights.FinalAttention.Output, memory.A, _weights.FinalAttention.Query.PaddedOutputs, rows, memory.B);
        SelectFinalTokens(memory.Queries, prompts, memory.C);
        Add(memory.B, memory.C, memory.Queries, rows * Channels);
        Norm(_weights.FinalNorm, memory.Queries, rows);

        float* iou = Mlp(_weights.IouHead, memory.Queries, tokens * Channels, prompts);
        int iouStride = _weights.IouHead[^1].PaddedOutputs;
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref TiledPromptMemory state = ref _prompts[prompt];
            new Span<float>(state.Hyper, Channels / 8 * DecoderKernels.MostMasks).Clear();
            state.Upscaled = 0;
            state.UpscaledCount = 0;
            for (int mask = 0; mask < _wanted.Count; mask++)
            {
                float value = iou[(prompt * iouStride) + _wanted.First + mask];
                predictedIou[(prompt * _wanted.Count) + mask] = _weights.HasSigmoidIou ? 1 / (1 + MathF.Exp(-value)) : value;
            }
        }

        if (_objectScores != null)
        {
            float* scores = Mlp(_weights.ScoreHead, memory.Queries + ((tokens - 1) * Channels), tokens * Channels, prompts);
            for (int prompt = 0; prompt < prompts; prompt++) _objectScores[prompt] = scores[prompt * _weights.ScoreHead[^1].PaddedOutputs];
        }

        for (int mask = 0; mask < _wanted.Count; mask++)
        {
            PackedLinear[] layers = _weights.Hyper[_wanted.First + mask];
            float* hyper = Mlp(layers, memory.Queries + ((1 + mask) * Channels), tokens * Channels, prompts);
            for (int prompt = 0; prompt < prompts; prompt++)
            {
                // NaN is not less: whoever asked decides.
                if (predictedIou[(prompt * _wanted.Count) + mask] < _wanted.LeastPredictedIou) continue;
                ref TiledPromptMemory state = ref _prompts[prompt];
                for (int c = 0; c < Channels / 8; c++)
                    state.Hyper[(c * DecoderKernels.MostMasks) + state.UpscaledCount] = hyper[(prompt * layers[^1].PaddedOutputs) + c];
                state.Upscaled |= 1 << mask;
                state.UpscaledCount++;
            }
        }

        ComputeRefinementWeights(prompts, tokens);
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            if (_prompts[prompt].UpscaledCount > 0) ComputeUpscalePanels(_prompts[prompt]);
        }
    }

    // The first transposed convolution of every coordinate's direction.
    private void ComputeUpscalePanels(in TiledPromptMemory state)
    {
        ImageMaps maps = _weights.Maps;
        float* matrix = _tokenMemory.Matrix;
        for (int row = 0; row < MaskRows; row++) Copy(maps.Mask + (row * (nint)maps.MaskColumns) + maps.Upscale, matrix + (row * (nint)Channels), Channels);
        Copy(state.BaseMaps + maps.Upscale, matrix + (OneRow * (nint)Channels), Channels);
        HeadProducts(state.Directions1, Rank, maps.Directions1 + maps.Upscale, maps.Columns, Channels, matrix + (FirstRow * (nint)Channels), Channels);
        Copy(state.BetweenMaps + maps.Upscale, matrix + (Deviation1Row * (nint)Channels), Channels);
        HeadProducts(state.Directions2, Rank, maps.Directions2 + maps.Upscale, maps.Columns, Channels, matrix + (SecondRow * (nint)Channels), Channels);
        Copy(maps.UpscaleBias, matrix + (Deviation2Row * (nint)Channels), Channels);
        DecoderKernels.PackPanelsTransposed(matrix, Channels, Channels, Deviation2Row + 1, state.UpscalePanels);
    }

    // From the attention's values in A: output, residual, LN2, MLP, LN3. Leaves queries + encoding in Encoded.
    private void AddAttentionAndMlp(in PackedLayer layer, int rows)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
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
    private void ComputeKeysAndValues(in PackedImageToToken attention, int prompts)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        int rows = prompts * _tokens;
        Linear(attention.Key, memory.Encoded, Channels, rows, memory.A);
        for (int prompt = 0; prompt < prompts; prompt++) PackHeads(memory.A, prompt, _tokens, _prompts[prompt].KeyPanels);
        Linear(attention.Value, memory.Queries, Channels, rows, memory.B);
    }

    // Layer 1 begins: self attention with residual and positional term, then the queries of its token-to-image attention.
    private void ComputeLayer1Queries(int prompts)
    {
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        ref readonly PackedLayer layer = ref _weights.Layers[1];
        int rows = prompts * _tokens;
        SelfAttention(layer, memory.Encoded, memory.Queries, memory.Encoded, prompts);
        Add(memory.Queries, memory.Encoded, memory.Queries, rows * Channels);
        Norm(layer.Norm1, memory.Queries, rows);
        Add(memory.Queries, memory.Encoding, memory.Encoded, rows * Channels);
        Linear(layer.TokenToImage.Query, memory.Encoded, Channels, rows, memory.A);
    }

    private void SelectFinalTokens(float* rows, int prompts, float* destination)
    {
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            float* source = rows + (prompt * (nint)_tokens * Channels);
            float* target = destination + (prompt * (nint)FinalTokens * Channels);
            Copy(source, target, Channels);
            Copy(source + ((1 + _wanted.First) * Channels), target + Channels, _wanted.Count * Channels);
            if (ReadsLastToken) Copy(source + ((_weights.OutputTokens - 1) * Channels), target + ((FinalTokens - 1) * Channels), Channels);
        }
    }
}
