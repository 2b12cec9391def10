using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>Where everything lies: one block of memory, dealt out for the prompts in progress.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    // Memory grows to what was ever needed, and stays.
    private void Reserve(int prompts)
    {
        FloatArena measure = new(null);
        Place(ref measure, prompts);
        if (measure.Used > _memory.Length)
        {
            _memory.Dispose();
            _memory = new NativeFloats(measure.Used);
        }

        FloatArena deal = new(_memory.Pointer);
        Place(ref deal, prompts);
    }

    private void Place(ref FloatArena arena, int prompts)
    {
        long channels = Channels, lanes = TileTokens, block = DecoderKernels.BlockRows;
        long heads = Heads * (long)_tokens, columns = DecoderMath.RoundUp(Heads * _tokens, TSimd.Width);
        long finalColumns = DecoderMath.RoundUp(Heads * FinalTokens, TSimd.Width);
        long coordinates = Coordinates, headPanels = Heads * (long)Math.Max(HeadRows, block) * _weights.HeadWidth;
        for (int worker = 0; worker < _workers.Length; worker++)
        {
            _workers[worker] = new TiledWorkerMemory
            {
                TileA = arena.Take(channels * lanes),
                TileB = arena.Take(channels * lanes),
                Encoded = arena.Take(_weights.Inner * lanes),
                Scores = arena.Take((heads + block) * lanes),
                Products = arena.Take((coordinates + block) * lanes),
                Powers = arena.Take(columns * lanes),
                Masks = arena.Take((_weights.Refinement is null ? DecoderKernels.MostMasks : block) * 16 * lanes),
                Rescale = arena.Take(heads),
                Square = arena.Take(lanes),
                Product = arena.Take(lanes),
                Refined = arena.Take(RefinementScratch),
                Ones = arena.Take(lanes),
                Zeros = arena.Take(lanes),
            };
            if (_workers[worker].Ones == null) continue;
            new Span<float>(_workers[worker].Ones, TileTokens).Fill(1);
            new Span<float>(_workers[worker].Zeros, TileTokens).Clear();
        }

        for (int prompt = 0; prompt < prompts; prompt++)
        {
            _prompts[prompt] = new TiledPromptMemory
            {
                Coordinates = arena.Take(_grid.Tiles * lanes * CoordinateRows),
                QueryPanels = arena.Take(headPanels),
                KeyPanels = arena.Take(headPanels),
                Directions1 = arena.Take(headPanels),
                Directions2 = arena.Take(headPanels),
                Values = arena.Take(Heads * (_weights.HeadWidth + block) * _tokens),
                ScorePanels = arena.Take(Math.Max(heads * Deviation1Row, Heads * (long)FinalTokens * Deviation2Row)),
                ImageScorePanels = arena.Take(heads * Deviation1Row),
                LengthPanels = arena.Take(coordinates * Deviation1Row),
                SecondLengthPanels = arena.Take(coordinates * Deviation2Row),
                BetweenProducts = arena.Take(1 + coordinates),
                Base1 = arena.Take(_weights.Inner),
                Base2 = arena.Take(_weights.Inner),
                BaseMaps = arena.Take(_weights.Maps.Columns),
                BetweenMaps = arena.Take(_weights.Maps.Columns),
                MaskBase1 = arena.Take(MaskRows),
                WeightedMaskBase1 = arena.Take(MaskRows),
                MaskBase2 = arena.Take(MaskRows),
                UpscalePanels = arena.Take(channels * (Deviation2Row + 1)),
                Reference = arena.Take(_grid.Segments * Math.Max(columns, finalColumns)),
                Sum = arena.Take(_grid.Segments * Math.Max(columns, finalColumns)),
                ValueSums = arena.Take(_grid.Segments * (long)Heads * HeadRows * _weights.ValueHeadStride),
                CoordinateSums = arena.Take(_grid.Segments * Math.Max((Deviation1Row + block) * columns, (Deviation2Row + block) * finalColumns)),
                Hyper = arena.Take(channels / 8 * DecoderKernels.MostMasks),
                HyperPanels = arena.Take(_weights.Refinement is null ? 0 : channels / 8 * block),
                RefinementWeights = arena.Take(_weights.Refinement is null ? 0 : channels / 8),
                RefinementPanels = arena.Take(_weights.Refinement is null ? 0 : 2 * block * _weights.Refinement.Channels),
            };
        }

        PlaceTokenMemory(ref arena, prompts);
    }

    private void PlaceTokenMemory(ref FloatArena arena, int prompts)
    {
        long rows = DecoderMath.RoundUp(prompts * _tokens, DecoderKernels.BlockRows);
        int widest = Math.Max(Channels, Math.Max(_weights.SelfInner, _weights.Inner));
        foreach (PackedLinear layer in _weights.IouHead) widest = Math.Max(widest, layer.PaddedOutputs);
        foreach (PackedLinear layer in _weights.ScoreHead) widest = Math.Max(widest, layer.PaddedOutputs);
        widest = DecoderMath.RoundUp(widest, PackedLinear.BlockColumns);
        long hidden = Math.Max(widest, DecoderMath.RoundUp(_weights.MlpWidth, PackedLinear.BlockColumns));
        _tokenMemory = new TiledTokenMemory
        {
            Encoding = arena.Take(rows * Channels),
            Queries = arena.Take(rows * Channels),
            Encoded = arena.Take(rows * widest),
            A = arena.Take(rows * widest),
            B = arena.Take(rows * widest),
            C = arena.Take(rows * widest),
            Hidden = arena.Take(rows * hidden),
            Panels = arena.Take(rows * hidden),
            Matrix = arena.Take(Math.Max(Math.Max(MatrixRows * MatrixStride, RefinedTaps * (long)(_weights.Refinement?.Channels ?? 0)), (Deviation2Row + 2 + DecoderKernels.BlockRows) * (long)Math.Max(Channels, _weights.Maps.Block))),
            Maps = arena.Take((Coordinates + DecoderKernels.BlockRows) * (long)_weights.Maps.Block),
            TurnedMaps = arena.Take(_weights.Maps.Block * (long)DecoderMath.RoundUp(Coordinates, 16)),
            Combined = arena.Take(((Deviation2Row + DecoderKernels.BlockRows) * (long)DecoderMath.RoundUp(Heads * _tokens, TSimd.Width)) + _tokens + 16),
            HeadPanels = arena.Take((_weights.HeadWidth + DecoderKernels.BlockRows) * (long)(Deviation2Row + 1)),
            HeadValues = arena.Take((_weights.HeadWidth + DecoderKernels.BlockRows) * (_tokens + 16L)),
            Scores = arena.Take(_tokens),
        };
    }
}
