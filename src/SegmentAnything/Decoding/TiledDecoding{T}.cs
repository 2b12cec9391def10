using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>The tiled decoder for one vector width: memory and the order of the work.</summary>
/// <remarks>
/// Shapes: C channels, H = 8 heads, c channels of a head, T tokens of a prompt (its output tokens and its sparse ones), Q tokens
/// that ask (T, or the few of the final attention), R coordinates an image token has of each layer, S segments of the image. Some prompts go through the phases together: their tokens share the reading of
/// the weights, and there are enough items for all threads.
/// </remarks>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector> : TiledDecoding, ISplitWork
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    private const int Heads = TiledDecoderWeights.Heads;
    private const int TileTokens = DecoderKernels.TileTokens;

    /// <summary>Nothing is summed over the image when it is upscaled, so it can have as many parts as make threads end together.</summary>
    private const int UpscaleParts = 16;

    private readonly TiledDecoderWeights _weights;
    private readonly WorkSplitter _splitter;
    private readonly PromptMemory[] _prompts = new PromptMemory[MostPrompts];
    private readonly WorkerMemory[] _workers;

    private NativeFloats _memory = new(0);
    private Phase _phase;

    // The first tiles of the image, which go through the phase in so many parts.
    private int _parts, _tiles;
    private CancellationToken _cancellation;
    private TiledPreparedImage _image = null!;
    private TiledGrid _grid = null!;

    // What Prepare reads.
    private float* _embedding;
    private float* _dense;
    private bool _denseIsUniform;

    // What it finds, from several threads: each only ever takes it back.
    private volatile bool _isMask;

    // What Decode was asked for.
    private int _promptCount;
    private int _tokens;
    private WantedMasks _wanted;
    private float* _logits;
    private float* _objectScores;

    public TiledDecoding(TiledDecoderWeights weights, WorkSplitter splitter)
    {
        _weights = weights;
        _splitter = splitter;
        _workers = new WorkerMemory[splitter.Threads];
    }

    private enum Phase
    {
        PrepareGrid,
        Prepare,
        PrepareMask,
        FirstAttention,
        Layer0,
        Layer1,
        Upscale,
        Linear,
    }

    private int Channels => _weights.Channels;

    /// <summary>Rows of a head where its tokens are rows of a block of their own.</summary>
    private int HeadRows => DecoderMath.RoundUp(_tokens, DecoderKernels.BlockRows);

    /// <summary>Tokens that are read after the final attention: that of the IoU, those of the wanted masks, and that of the object score if it is wanted.</summary>
    private int FinalTokens => 1 + _wanted.Count + (_objectScores == null ? 0 : 1);

    /// <summary>Coordinates that an attention's head gives an image token: the weights of its tokens, or its channels where they are fewer.</summary>
    private int Rank => Math.Min(_tokens, _weights.HeadWidth);

    /// <summary>R.</summary>
    private int Coordinates => Heads * Rank;

    // Rows of an image token's coordinates: those of the mask prompt come first. Those of layer 1 and the last deviation are
    // for points that are too large by the first deviation, as the direction between both layers is multiplied with it. Blocks
    // of eight rows may reach behind the second part, where the scales must not lie.
    private int FirstRow => _image.MaskRows;

    private int Deviation1Row => FirstRow + Coordinates;

    private int SecondRow => Deviation1Row + 1;

    private int Deviation2Row => SecondRow + Coordinates;

    private int Scale1Row => Deviation2Row + DecoderKernels.BlockRows;

    private int Scale2Row => Scale1Row + 1;

    private int CoordinateRows => DecoderMath.RoundUp(Scale2Row + 1, DecoderKernels.BlockRows);

    public override void Prepare(TiledGrid grid)
    {
        _grid = grid;
        Run(Phase.PrepareGrid, grid.Tiles);
        Forget();
    }

    public override bool Prepare(
        TiledPreparedImage image, float* features, float* dense, bool denseIsUniform, CancellationToken cancellationToken)
    {
        _image = image;
        _grid = image.Grid;
        _embedding = features;
        _dense = dense;
        _denseIsUniform = denseIsUniform;
        _cancellation = cancellationToken;
        _tokens = _weights.OutputTokens;
        _wanted = new WantedMasks(0, 1);
        _objectScores = null;
        _isMask = true;
        Reserve(1);
        Run(image.MaskRows > 0 ? Phase.PrepareMask : Phase.Prepare, _grid.Tiles);
        Forget();
        return _isMask;
    }

    public override void Decode(
        TiledPreparedImage image, float* tokens, int prompts, int tokensPerPrompt, in WantedMasks wanted,
        float* logits, float* predictedIou, float* objectScores, CancellationToken cancellationToken)
    {
        _image = image;
        _grid = image.Grid;
        _tokens = _weights.OutputTokens + tokensPerPrompt;
        _wanted = wanted;
        _cancellation = cancellationToken;
        _logits = logits;
        _objectScores = objectScores;
        Reserve(prompts);
        _promptCount = prompts;
        BeginTokens(tokens, prompts);
        RunParts(Phase.FirstAttention, _grid.Segments, _grid.Tiles);
        BetweenFirstAttentionAndLayer0(prompts);
        RunParts(Phase.Layer0, _grid.Segments, _grid.Tiles);
        BetweenLayer0AndLayer1(prompts);
        RunParts(Phase.Layer1, _grid.Segments, _grid.Tiles);
        FinishTokens(prompts, predictedIou);
        int upscaled = _grid.TilesOf(_wanted.GridRows);
        RunParts(Phase.Upscale, Math.Min(UpscaleParts, upscaled), upscaled);
        Forget();
    }

    public override void Dispose() => _memory.Dispose();

    void ISplitWork.Execute(int item, int worker)
    {
        if (_phase is Phase.PrepareGrid or Phase.Prepare or Phase.PrepareMask)
        {
            _cancellation.ThrowIfCancellationRequested();
            if (_phase == Phase.Prepare) PrepareTile(item, _workers[worker]);
            else if (_phase == Phase.PrepareMask) PrepareMaskTile(item, _workers[worker]);
            else PrepareGridTile(item);
            return;
        }

        if (_phase == Phase.Linear)
        {
            LinearBlock(item);
            return;
        }

        // Segments inside, prompts outside: what belongs to a prompt stays in the second-level cache from item to item.
        int together = PromptsTogether(_phase);
        (int group, int segment) = Math.DivRem(item, _parts);
        int first = group * together, end = Math.Min(first + together, _promptCount);
        int firstTile = TiledGrid.FirstOfPart(segment, _parts, _tiles), endTile = TiledGrid.FirstOfPart(segment + 1, _parts, _tiles);
        for (int tile = firstTile; tile < endTile; tile++)
        {
            _cancellation.ThrowIfCancellationRequested();
            for (int prompt = first; prompt < end; prompt++)
            {
                switch (_phase)
                {
                    case Phase.FirstAttention:
                        FirstAttentionTile(tile, segment, tile == firstTile, _prompts[prompt], _workers[worker]);
                        break;
                    case Phase.Layer0:
                        Layer0Tile(tile, segment, tile == firstTile, _prompts[prompt], _workers[worker]);
                        break;
                    case Phase.Layer1:
                        Layer1Tile(tile, segment, tile == firstTile, _prompts[prompt], _workers[worker]);
                        break;
                    default:
                        UpscaleTile(tile, prompt, _prompts[prompt], _workers[worker]);
                        break;
                }
            }
        }
    }

    // Prompts that visit a tile one after the other, so that they find the image's part of it in the cache: all where a
    // prompt has little of its own, two where it has 100 KB.
    private static int PromptsTogether(Phase phase) => phase == Phase.FirstAttention ? MostPrompts : 2;

    private void RunParts(Phase phase, int parts, int tiles)
    {
        (_parts, _tiles) = (parts, tiles);
        int together = PromptsTogether(phase);
        Run(phase, (_promptCount + together - 1) / together * parts);
    }

    private void Run(Phase phase, int items)
    {
        _cancellation.ThrowIfCancellationRequested();
        _phase = phase;
        _splitter.Run(this, items);
    }

    // An idle object must not keep the caller's image alive.
    private void Forget()
    {
        _image = null!;
        _cancellation = default;
    }

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
            _workers[worker] = new WorkerMemory
            {
                TileA = arena.Take(channels * lanes),
                TileB = arena.Take(channels * lanes),
                Encoded = arena.Take(_weights.Inner * lanes),
                Scores = arena.Take((heads + block) * lanes),
                Products = arena.Take((coordinates + block) * lanes),
                Powers = arena.Take(columns * lanes),
                Masks = arena.Take(TiledDecoderWeights.MaskTokens * 16 * lanes),
                Rescale = arena.Take(heads),
                Square = arena.Take(lanes),
                Product = arena.Take(lanes),
                Ones = arena.Take(lanes),
            };
            if (_workers[worker].Ones != null) new Span<float>(_workers[worker].Ones, TileTokens).Fill(1);
        }

        for (int prompt = 0; prompt < prompts; prompt++)
        {
            _prompts[prompt] = new PromptMemory
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
                BetweenProducts = arena.Take(coordinates),
                UpscalePanels = arena.Take(channels * (Deviation2Row + 1)),
                Reference = arena.Take(_grid.Segments * Math.Max(columns, finalColumns)),
                Sum = arena.Take(_grid.Segments * Math.Max(columns, finalColumns)),
                ValueSums = arena.Take(_grid.Segments * (long)Heads * HeadRows * _weights.ValueHeadStride),
                CoordinateSums = arena.Take(_grid.Segments * Math.Max((Deviation1Row + block) * columns, (Deviation2Row + block) * finalColumns)),
                Hyper = arena.Take(channels / 8 * TiledDecoderWeights.MaskTokens),
            };
        }

        PlaceTokens(ref arena, prompts);
    }

    /// <summary>Scratch of one thread.</summary>
    private struct WorkerMemory
    {
        /// <summary>[C][TileTokens].</summary>
        public float* TileA, TileB;

        /// <summary>Keys or queries of the image with the encoding's: [H c][TileTokens].</summary>
        public float* Encoded;

        /// <summary>Scores, then their softmax's weights or powers: [H][T or Q][TileTokens].</summary>
        public float* Scores;

        /// <summary>Products of image tokens and directions: [R][TileTokens].</summary>
        public float* Products;

        /// <summary>The powers, turned: [TileTokens][H Q].</summary>
        public float* Powers;

        /// <summary>[mask][sy1][sx1][sy2][sx2][TileTokens].</summary>
        public float* Masks;

        /// <summary>See <see cref="DecoderKernels.RunningSoftmax"/>: [H Q].</summary>
        public float* Rescale;

        /// <summary>Of the image tokens' lengths: [TileTokens].</summary>
        public float* Square;

        /// <summary>Of the image tokens and the direction between both layers: [TileTokens].</summary>
        public float* Product;

        /// <summary>[TileTokens] of 1.</summary>
        public float* Ones;
    }

    /// <summary>What is kept of a prompt between passes. Matrices that multiply coordinates have them in the order of the rows there.</summary>
    private struct PromptMemory
    {
        /// <summary>Image tokens: [tile][mask, first R, deviation, second R, deviation, ..., scales][TileTokens].</summary>
        public float* Coordinates;

        /// <summary>Queries of the tokens, in turn for each token-to-image attention: [H][panel][c][8].</summary>
        public float* QueryPanels;

        /// <summary>Keys of the tokens, in turn for both image-to-token attentions: [H][panel][c][8].</summary>
        public float* KeyPanels;

        /// <summary>Each coordinate's direction, as a combination of its head's channels: [H][panel][c][8].</summary>
        public float* Directions1, Directions2;

        /// <summary>Values of the tokens, where a head has more of them than channels: [H][panel][T][8], rows are channels.</summary>
        public float* Values;

        /// <summary>Token-to-image scores += this x coordinates, in turn for each of them: [panel][coordinate][8], rows (head, token).</summary>
        public float* ScorePanels;

        /// <summary>The same for image-to-token scores.</summary>
        public float* ImageScorePanels;

        /// <summary>Products of coordinates' directions, rows those of layer 0 and then of layer 1, with all before them, and half with themselves.</summary>
        public float* LengthPanels, SecondLengthPanels;

        /// <summary>Products of layer 0's directions and the one between both layers: [R].</summary>
        public float* BetweenProducts;

        /// <summary>The first transposed convolution of the directions: [panel][coordinate][8], rows (sy, sx, channel).</summary>
        public float* UpscalePanels;

        /// <summary>State of the running softmax: [S][H Q].</summary>
        public float* Reference, Sum;

        /// <summary>Sums of the image's values: [S][H][head rows][value head stride].</summary>
        public float* ValueSums;

        /// <summary>Sums of coordinates: [S][coordinate][H Q].</summary>
        public float* CoordinateSums;

        /// <summary>Weights of the masks that are upscaled: [C/8][4].</summary>
        public float* Hyper;

        /// <summary>How many are upscaled, and bit by bit which of the masks that were asked for.</summary>
        public int UpscaledCount, Upscaled;
    }
}
