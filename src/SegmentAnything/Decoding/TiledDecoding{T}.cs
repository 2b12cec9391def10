using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>The tiled decoder for one vector width: memory and the order of the work.</summary>
/// <remarks>
/// Shapes: C channels, H = 8 heads, T tokens of a prompt (5 output tokens and its sparse ones), R = 8 T columns filled up to
/// whole vectors, S segments of the image. Some prompts go through the phases together: their tokens share the reading of
/// the weights, and there are enough items for all threads.
/// </remarks>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector> : TiledDecoding, ISplitWork
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    private const int Heads = TiledDecoderWeights.Heads;
    private const int TileTokens = DecoderKernels.TileTokens;

    private readonly TiledDecoderWeights _weights;
    private readonly WorkSplitter _splitter;
    private readonly PromptMemory[] _prompts = new PromptMemory[MostPrompts];
    private readonly WorkerMemory[] _workers;

    private NativeFloats _memory = new(0);
    private Phase _phase;
    private CancellationToken _cancellation;
    private TiledPreparedImage _image = null!;
    private TiledGrid _grid = null!;

    // What Prepare reads.
    private float* _embedding;
    private float* _dense;
    private bool _denseIsUniform;

    // What Decode was asked for.
    private int _promptCount;
    private int _tokens;
    private int _firstMask;
    private int _masks;
    private float* _logits;

    public TiledDecoding(TiledDecoderWeights weights, WorkSplitter splitter)
    {
        _weights = weights;
        _splitter = splitter;
        _workers = new WorkerMemory[splitter.Threads];
    }

    private enum Phase
    {
        Prepare,
        FirstAttention,
        Layer0,
        Layer1,
        Upscale,
        Linear,
    }

    private int Channels => _weights.Channels;

    /// <summary>Rows of a head where its tokens are rows of a block of their own.</summary>
    private int HeadRows => DecoderMath.RoundUp(_tokens, DecoderKernels.BlockRows);

    /// <summary>R: columns of all heads' tokens.</summary>
    private int Columns => DecoderMath.RoundUp(Heads * _tokens, TSimd.Width);

    /// <summary>Tokens that are read after the final attention: that of the IoU and those of the wanted masks.</summary>
    private int FinalTokens => 1 + _masks;

    private int FinalColumns => DecoderMath.RoundUp(Heads * FinalTokens, TSimd.Width);

    public override void Prepare(
        TiledPreparedImage image, float* embedding, float* dense, bool denseIsUniform, CancellationToken cancellationToken)
    {
        _image = image;
        _grid = image.Grid;
        _embedding = embedding;
        _dense = dense;
        _denseIsUniform = denseIsUniform;
        _cancellation = cancellationToken;
        _tokens = TiledDecoderWeights.OutputTokens;
        _masks = 1;
        Reserve(1);
        Run(Phase.Prepare, _grid.Tiles);
        Forget();
    }

    public override void Decode(
        TiledPreparedImage image, float* tokens, int prompts, int tokensPerPrompt, int firstMask, int masks, float leastPredictedIou,
        float* logits, float* predictedIou, CancellationToken cancellationToken)
    {
        _image = image;
        _grid = image.Grid;
        _tokens = TiledDecoderWeights.OutputTokens + tokensPerPrompt;
        _firstMask = firstMask;
        _masks = masks;
        _cancellation = cancellationToken;
        _logits = logits;
        Reserve(prompts);
        _promptCount = prompts;
        BeginTokens(tokens, prompts);
        RunSegments(Phase.FirstAttention);
        BetweenFirstAttentionAndLayer0(prompts);
        RunSegments(Phase.Layer0);
        BetweenLayer0AndLayer1(prompts);
        RunSegments(Phase.Layer1);
        FinishTokens(prompts, leastPredictedIou, predictedIou);
        RunSegments(Phase.Upscale);
        Forget();
    }

    public override void Dispose() => _memory.Dispose();

    void ISplitWork.Execute(int item, int worker)
    {
        if (_phase == Phase.Prepare)
        {
            _cancellation.ThrowIfCancellationRequested();
            PrepareTile(item, _workers[worker]);
            return;
        }

        if (_phase == Phase.Linear)
        {
            LinearBlock(item);
            return;
        }

        // Segments inside, prompts outside: what belongs to a prompt stays in the second-level cache from item to item.
        int together = PromptsTogether(_phase);
        int first = item / _grid.Segments * together, end = Math.Min(first + together, _promptCount);
        int segment = item % _grid.Segments, firstTile = _grid.FirstTile(segment), endTile = _grid.FirstTile(segment + 1);
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
    // prompt has little of its own, two where that takes 200 KB, one where the image has no part.
    private static int PromptsTogether(Phase phase) => phase switch
    {
        Phase.FirstAttention => MostPrompts,
        Phase.Upscale => 1,
        _ => 2,
    };

    private void RunSegments(Phase phase)
    {
        int together = PromptsTogether(phase);
        Run(phase, (_promptCount + together - 1) / together * _grid.Segments);
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
        long channels = Channels, lanes = TileTokens, columns = Columns;
        long headRows = (long)Heads * HeadRows, heads = Heads * (long)_tokens;
        for (int worker = 0; worker < _workers.Length; worker++)
        {
            _workers[worker] = new WorkerMemory
            {
                TileA = arena.Take(channels * lanes),
                TileB = arena.Take(channels * lanes),
                Scores = arena.Take(headRows * lanes),
                Powers = arena.Take(columns * lanes),
                Masks = arena.Take(TiledDecoderWeights.MaskTokens * 16 * lanes),
            };
        }

        for (int prompt = 0; prompt < prompts; prompt++)
        {
            _prompts[prompt] = new PromptMemory
            {
                Keys = arena.Take(_grid.Tiles * lanes * channels),
                HeadPanels = arena.Take(headRows * _weights.HeadWidth),
                KeyColumns = arena.Take(channels * columns),
                QueryPanels = arena.Take(heads * channels),
                QueryBias = arena.Take(heads),
                OutputPanels = arena.Take(heads * channels),
                Reference = arena.Take(_grid.Segments * Math.Max(columns, headRows)),
                Sum = arena.Take(_grid.Segments * Math.Max(columns, headRows)),
                Accumulated = arena.Take(_grid.Segments * Math.Max(columns * channels, headRows * _weights.ValueHeadStride)),
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

        /// <summary>Image-to-token scores: [H][head rows][TileTokens].</summary>
        public float* Scores;

        /// <summary>Token-to-image scores, then their powers: [TileTokens][R].</summary>
        public float* Powers;

        /// <summary>[mask][sy1][sx1][sy2][sx2][TileTokens].</summary>
        public float* Masks;
    }

    /// <summary>What is kept of a prompt between passes.</summary>
    private struct PromptMemory
    {
        /// <summary>keys1, then keys2: [tile][C][TileTokens].</summary>
        public float* Keys;

        /// <summary>Layer 0's token-to-image queries, then its image-to-token keys: [H][panel][head width][8].</summary>
        public float* HeadPanels;

        /// <summary>Token-to-image scores = keys * this: [C][R].</summary>
        public float* KeyColumns;

        /// <summary>Image-to-token scores = this * keys + bias: [panel][C][8], rows (head, token).</summary>
        public float* QueryPanels;

        public float* QueryBias;

        /// <summary>What the image receives = this * softmax: [panel][H T][8], rows are channels.</summary>
        public float* OutputPanels;

        /// <summary>State of the running softmax: [S][R], or [S][H head rows] in the first pass.</summary>
        public float* Reference, Sum;

        /// <summary>[S][C][R], or [S][H head rows][value head stride] in the first pass.</summary>
        public float* Accumulated;

        /// <summary>Weights of the masks that are upscaled: [C/8][4].</summary>
        public float* Hyper;

        /// <summary>How many are upscaled, and bit by bit which of the masks that were asked for.</summary>
        public int UpscaledCount, Upscaled;
    }
}
