using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>The tiled decoder for one vector width: the order of the work.</summary>
/// <remarks>
/// Shapes: C channels, H heads, c channels of a head, T tokens of a prompt (its output tokens and its sparse ones), Q tokens
/// that ask (T, or the few of the final attention), R coordinates an image token has of each layer, S segments of the image. Some prompts go through the phases together: their tokens share the reading of
/// the weights, and there are enough items for all threads.
/// </remarks>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector> : TiledDecoding, ISplitWork
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    private const int TileTokens = DecoderKernels.TileTokens;

    /// <summary>Nothing is summed over the image when it is upscaled, so it can have as many parts as make threads end together.</summary>
    private const int UpscaleParts = 16;

    private readonly TiledDecoderWeights _weights;
    private readonly WorkSplitter _splitter;
    private readonly TiledPromptMemory[] _prompts = new TiledPromptMemory[MostPrompts];
    private readonly TiledWorkerMemory[] _workers;

    private NativeFloats _memory = new(0);
    private TiledTokenMemory _tokenMemory;
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
        _workers = new TiledWorkerMemory[splitter.Threads];
    }

    private enum Phase
    {
        EncodingMaps,
        ImageMaps,
        MaskCoordinates,
        FirstAttention,
        Layer0,
        Layer1,
        Upscale,
        UpscaleOne,
        Refine,
        SumTaps,
        Linear,
    }

    public override void Prepare(TiledGrid grid)
    {
        _grid = grid;
        Run(Phase.EncodingMaps, grid.Tiles);
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
        Run(image.MaskRows > 0 ? Phase.MaskCoordinates : Phase.ImageMaps, _grid.Tiles);
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
        ComputeFirstQueries(tokens, prompts);
        RunParts(Phase.FirstAttention, _grid.Segments, _grid.Tiles);
        ComputeLayer0Matrices(prompts);
        RunParts(Phase.Layer0, _grid.Segments, _grid.Tiles);
        ComputeLayer1Matrices(prompts);
        RunParts(Phase.Layer1, _grid.Segments, _grid.Tiles);
        ComputeIouAndMaskWeights(prompts, predictedIou);
        if (_weights.Refinement is not null)
        {
            UpscaleAndRefine(prompts);
        }
        else
        {
            int upscaled = _grid.TilesOf(_wanted.GridRows);
            RunParts(Phase.Upscale, Math.Min(UpscaleParts, upscaled), upscaled);
        }

        Forget();
    }

    public override void Dispose()
    {
        _refined?.Dispose();
        _memory.Dispose();
    }

    void ISplitWork.Execute(int item, int worker)
    {
        if (_phase is Phase.EncodingMaps or Phase.ImageMaps or Phase.MaskCoordinates)
        {
            _cancellation.ThrowIfCancellationRequested();
            if (_phase == Phase.ImageMaps) ComputeImageMaps(item, _workers[worker]);
            else if (_phase == Phase.MaskCoordinates) ComputeMaskCoordinates(item, _workers[worker]);
            else ComputeEncodingMaps(item);
            return;
        }

        if (_phase == Phase.Linear)
        {
            LinearBlock(item);
            return;
        }

        if (_phase is Phase.UpscaleOne or Phase.Refine or Phase.SumTaps)
        {
            int endOfPart = TiledGrid.FirstOfPart(item + 1, _parts, _tiles);
            for (int tile = TiledGrid.FirstOfPart(item, _parts, _tiles); tile < endOfPart; tile++)
            {
                _cancellation.ThrowIfCancellationRequested();
                if (_phase == Phase.UpscaleOne) ComputeMaskLogits(tile, _refinedPrompt, _prompts[_refinedPrompt], _workers[worker]);
                else if (_phase == Phase.Refine) RefineTile(tile, _prompts[_refinedPrompt], _workers[worker]);
                else SumTaps(tile, _workers[worker]);
            }

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
                        AttendToImage(tile, segment, tile == firstTile, _prompts[prompt], _workers[worker]);
                        break;
                    case Phase.Layer0:
                        UpdateImageByLayer0(tile, segment, tile == firstTile, _prompts[prompt], _workers[worker]);
                        break;
                    case Phase.Layer1:
                        UpdateImageByLayer1(tile, segment, tile == firstTile, _prompts[prompt], _workers[worker]);
                        break;
                    default:
                        ComputeMaskLogits(tile, prompt, _prompts[prompt], _workers[worker]);
                        break;
                }
            }
        }
    }

    // Prompts that visit a tile one after the other, so that they find the image's part of it in the cache: all where a
    // prompt has little of its own, or where upscaling adds finer maps, which are 150 KB a tile; two where it has 100 KB.
    private int PromptsTogether(Phase phase) =>
        phase == Phase.FirstAttention || (phase == Phase.Upscale && _weights.HasHighRes) ? MostPrompts : 2;

    private void RunParts(Phase phase, int parts, int tiles)
    {
        (_parts, _tiles) = (parts, tiles);
        int together = PromptsTogether(phase), groups = phase >= Phase.UpscaleOne ? 1 : (_promptCount + together - 1) / together;
        Run(phase, groups * parts);
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
}
