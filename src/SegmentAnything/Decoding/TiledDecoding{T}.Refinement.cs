using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>A mask beside the others, see <see cref="MaskRefinement"/>.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    private const int RefinedTaps = 9;

    private TiledRefinementMemory? _refined;

    // The prompt whose upscaled image is in it.
    private int _refinedPrompt;

    private int MaskChannels => Channels / 8;

    // All values that a worker needs for it, for the one that is dealt out.
    private long RefinementScratch
    {
        get
        {
            if (_weights.Refinement is not { } weights) return 0;
            long lanes = TileTokens, rows = DecoderKernels.WinogradProducts * (long)(MaskChannels + DecoderKernels.BlockRows);
            rows += DecoderKernels.TokenPixels * (long)(weights.Channels + 1) + 16;
            foreach (TiledRefinementWeights.Enlargement feature in weights.Features) rows = Math.Max(rows, feature.Channels + (4L * feature.Inside) + DecoderKernels.BlockRows);
            return rows * lanes;
        }
    }

    // The features of the image, tile by tile, pixel by pixel in the order of upscaling.
    private void ComputeRefinedFeatures(int tile, TiledWorkerMemory worker)
    {
        TiledRefinementWeights weights = _weights.Refinement!;
        int tokens = _grid.TokensIn(tile);
        float* map = _embedding, target = _image.RefinedFeatures + TileOffset(tile, DecoderKernels.TokenPixels * MaskChannels);
        new Span<float>(worker.Square, TileTokens).Fill(UpscaleEpsilon);
        for (int i = 0; i < weights.Features.Length; i++)
        {
            ref readonly TiledRefinementWeights.Enlargement feature = ref weights.Features[i];
            float* given = worker.Refined, inside = given + (feature.Channels * TileTokens);
            for (int c = 0; c < feature.Channels; c++)
            {
                Span<float> row = new(given + (c * TileTokens), TileTokens);
                new ReadOnlySpan<float>(map + (c * (nint)_grid.Tokens) + (tile * TileTokens), tokens).CopyTo(row);
                row[tokens..].Clear();
            }

            map += feature.Channels * (nint)_grid.Tokens;
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
                feature.FirstPanels, PanelStride(feature.Channels), given, TileTokens, feature.Channels,
                feature.FirstBias, 0, inside, TileTokens, 4 * feature.Inside, TileTokens);
            for (int subpixel = 0; subpixel < 4; subpixel++)
            {
                float* x1 = Row(inside, subpixel * feature.Inside), x2 = Row(target, subpixel * 4 * MaskChannels);
                DecoderKernels.LayerNormGeluTile<TSimd, TVector>(
                    x1, feature.Inside, feature.Norm.Weight, feature.Norm.Bias, worker.Square, _weights.GeluTable);
                if (i == 0)
                {
                    DecoderKernels.Product<TSimd, TVector, PanelLayout, FromRowBias>(
                        feature.SecondPanels, PanelStride(feature.Inside), x1, TileTokens, feature.Inside,
                        weights.FeatureBias, 0, x2, TileTokens, 4 * MaskChannels, TileTokens);
                }
                else
                {
                    DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
                        feature.SecondPanels, PanelStride(feature.Inside), x1, TileTokens, feature.Inside,
                        x2, TileTokens, x2, TileTokens, 4 * MaskChannels, TileTokens);
                }
            }
        }
    }

    // The weights of the mask: for the features of the image, and with the second convolution's for what the first gives.
    private void ComputeRefinementWeights(int prompts, int tokens)
    {
        if (_weights.Refinement is not { } weights) return;
        ref readonly TiledTokenMemory memory = ref _tokenMemory;
        float* own = Mlp(_weights.RefinementHead, memory.Queries + ((tokens - 1) * Channels), tokens * Channels, prompts);
        int stride = _weights.RefinementHead[^1].PaddedOutputs;
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            ref TiledPromptMemory state = ref _prompts[prompt];
            Copy(own + (prompt * (nint)stride), state.RefinementWeights, MaskChannels);
            state.RefinementBias = weights.Compose(state.RefinementWeights, memory.Matrix);
            DecoderKernels.PackPanels(memory.Matrix, weights.Channels, RefinedTaps, weights.Channels, state.RefinementPanels);
            for (int c = 0; c < MaskChannels; c++)
            {
                for (int mask = 0; mask < DecoderKernels.BlockRows; mask++)
                    state.HyperPanels[(c * DecoderKernels.BlockRows) + mask] = mask < DecoderKernels.MostMasks ? state.Hyper[(c * DecoderKernels.MostMasks) + mask] : 0;
            }
        }
    }

    // Upscales and refines prompt by prompt: the upscaled image is large, and its place is always the same.
    private void UpscaleAndRefine(int prompts)
    {
        if (_refined is null || _refined.Grid != _grid)
        {
            _refined?.Dispose();
            _refined = new TiledRefinementMemory(_grid, MaskChannels);
        }

        // The second convolution looks at one pixel beyond the last row of tokens that is wanted, and the transforms of the first at
        // all tokens around one: so the logits are the same to the bit whichever rows are wanted.
        int rows = Math.Min(_wanted.GridRows, _grid.Side - 1) + 1, upscaled = _grid.TilesOf(rows + 1), refined = _refined.TilesOf(rows);
        int pictureSize = DecoderKernels.TokenPixels * _grid.Tokens;
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            if (_prompts[prompt].UpscaledCount == 0) continue;
            _refinedPrompt = prompt;
            RunParts(Phase.UpscaleOne, Math.Min(UpscaleParts, upscaled), upscaled);
            RunParts(Phase.Refine, Math.Min(UpscaleParts, refined), refined);
            RunParts(Phase.SumTaps, Math.Min(UpscaleParts, refined), refined);
            for (int mask = 0; mask < _wanted.Count; mask++)
            {
                if ((_prompts[prompt].Upscaled & (1 << mask)) == 0) continue;
                Span<float> logits = new(_logits + (((prompt * _wanted.Count) + mask) * (long)pictureSize), Math.Min(pictureSize, rows * DecoderKernels.TokenPixels * _grid.Side));
                TensorPrimitives.Add(logits, new ReadOnlySpan<float>(_refined.Logits, logits.Length), logits);
            }
        }
    }

    // One sub-pixel of the first step and its four of the second, which have been through GELU: they are kept, and multiplied with
    // the weights of all masks.
    private void MultiplyMasks(int tile, int subpixel, in TiledPromptMemory prompt, TiledWorkerMemory worker)
    {
        const int MaskStride = DecoderKernels.TokenPixels * TileTokens;
        DecoderKernels.GeluTile<TSimd, TVector>(worker.TileB, 4 * MaskChannels, _weights.GeluTable);
        new Span<float>(worker.Product, TileTokens).Fill(prompt.RefinementBias);
        float* features = _image.RefinedFeatures + TileOffset(tile, DecoderKernels.TokenPixels * MaskChannels);
        for (int second = 0; second < 4; second++)
        {
            int pixel = (4 * subpixel) + second;
            float* x2 = Row(worker.TileB, second * MaskChannels), masks = worker.Masks + (pixel * TileTokens);
            Keep(tile, ((((2 * (subpixel / 2)) + (second / 2)) * 4) + (2 * (subpixel % 2)) + (second % 2)), x2);
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                prompt.HyperPanels, PanelStride(MaskChannels), x2, TileTokens, MaskChannels, null, 0, masks, MaskStride, DecoderKernels.BlockRows, TileTokens);
            float* own = masks + (DecoderKernels.MostMasks * MaskStride);
            DecoderKernels.WeightedSum<TSimd, TVector>(Row(features, pixel * MaskChannels), MaskChannels, prompt.RefinementWeights, worker.Product, own);
            for (int mask = 0; mask < prompt.UpscaledCount; mask++)
            {
                Span<float> sum = new(masks + (mask * MaskStride), TileTokens);
                if (_weights.RefinedAlone) new ReadOnlySpan<float>(own, TileTokens).CopyTo(sum);
                else TensorPrimitives.Add(sum, new ReadOnlySpan<float>(own, TileTokens), sum);
            }
        }
    }

    private void Keep(int tile, int pixel, float* x)
    {
        int side = _grid.Side, tokens = _grid.TokensIn(tile), stride = _refined!.PlaneStride;
        nint channelStride = DecoderKernels.TokenPixels * (nint)stride;
        for (int lane = 0; lane < tokens;)
        {
            (int y, int column) = Math.DivRem((tile * TileTokens) + lane, side);
            int run = Math.Min(side - column, tokens - lane), i;
            float* target = _refined.Upscaled + (pixel * (nint)stride) + _refined.Position(y, column), source = x + lane;
            for (int c = 0; c < MaskChannels; c++, target += channelStride, source += TileTokens)
            {
                for (i = 0; i + TSimd.Width <= run; i += TSimd.Width) TSimd.Store(TSimd.Load(source + i), target + i);
                for (; i < run; i++) target[i] = source[i];
            }

            lane += run;
        }
    }

    // The first convolution with its norm and GELU, and what each pixel gives to those around it in the second.
    private void RefineTile(int tile, in TiledPromptMemory prompt, TiledWorkerMemory worker)
    {
        TiledRefinementWeights weights = _weights.Refinement!;
        TiledRefinementMemory memory = _refined!;
        const int Block = DecoderKernels.BlockRows, Products = DecoderKernels.WinogradProducts, Pixels = DecoderKernels.TokenPixels;
        nint plane = memory.PlaneStride;
        int position = memory.Row + (tile * TileTokens);
        float* transformed = worker.Refined, products = Row(transformed, Products * MaskChannels), pixels = Row(products, Products * Block);
        float* taps = Row(pixels, Pixels * weights.Channels);
        for (int c = 0; c < MaskChannels; c++)
        {
            DecoderKernels.TransformPixels<TSimd, TVector>(
                memory.Upscaled + (c * Pixels * plane) + position, plane, memory.Row, Row(transformed, c), MaskChannels * TileTokens);
        }

        for (int first = 0; first < weights.Channels; first += Block)
        {
            for (int p = 0; p < Products; p++)
            {
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                    weights.Products + (((first * (nint)Products) + (p * Block)) * MaskChannels), PanelStride(MaskChannels),
                    Row(transformed, p * MaskChannels), TileTokens, MaskChannels, null, 0, Row(products, p * Block), TileTokens, Block, TileTokens);
            }

            for (int c = 0; c < Block; c++)
            {
                DecoderKernels.TransformProducts<TSimd, TVector>(
                    Row(products, c), Block * TileTokens, weights.Bias[first + c], Row(pixels, first + c), weights.Channels * TileTokens);
            }
        }

        new Span<float>(worker.Square, TileTokens).Fill(UpscaleEpsilon);
        for (int pixel = 0; pixel < Pixels; pixel++)
        {
            float* x = Row(pixels, pixel * weights.Channels);
            DecoderKernels.LayerNormGeluTile<TSimd, TVector>(x, weights.Channels, weights.Norm.Weight, weights.Norm.Bias, worker.Square, _weights.GeluTable);
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                prompt.RefinementPanels, PanelStride(weights.Channels), x, TileTokens, weights.Channels, null, 0, taps, TileTokens, 2 * Block, TileTokens);

            // Nothing comes from the border.
            for (int lane = 0; lane < TileTokens;)
            {
                (int y, int column) = Math.DivRem(position + lane - memory.Row, memory.Row);
                int run = Math.Min(memory.Row - column, TileTokens - lane);
                int from = Math.Max(column, 1) - column, to = Math.Min(column + run, memory.Row - 1) - column;
                if (y < _grid.Side)
                {
                    for (int tap = 0; tap < RefinedTaps && to > from; tap++)
                    {
                        new ReadOnlySpan<float>(Row(taps, tap) + lane + from, to - from)
                            .CopyTo(new Span<float>(memory.Taps + (((pixel * RefinedTaps) + tap) * plane) + position + lane + from, to - from));
                    }
                }

                lane += run;
            }
        }
    }

    private void SumTaps(int tile, TiledWorkerMemory worker)
    {
        TiledRefinementMemory memory = _refined!;
        int position = memory.Row + (tile * TileTokens), side = _grid.Side;
        float* sums = worker.Refined;
        DecoderKernels.SumTaps<TSimd, TVector>(memory.Taps + position, memory.PlaneStride, memory.Row, sums);
        for (int lane = 0; lane < TileTokens;)
        {
            (int y, int column) = Math.DivRem(position + lane - memory.Row, memory.Row);
            int run = Math.Min(memory.Row - column, TileTokens - lane);
            int from = Math.Max(column, 1) - column, to = Math.Min(column + run, memory.Row - 1) - column;
            if (y < side && to > from)
                DecoderKernels.InterleaveSubpixels(sums + lane + from, (y * side) + column + from - 1, to - from, side, memory.Logits);
            lane += run;
        }
    }
}
