using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>What attention within windows is made of.</summary>
/// <param name="Window">Tokens along each side of a window; windows that reach beyond the picture are filled up there.</param>
/// <param name="Heads">Heads.</param>
/// <param name="HeadWidth">Channels of a head.</param>
/// <param name="Norm">What goes before.</param>
/// <param name="Projections">
/// Queries, keys, values, one after the other, each head with room for <see cref="EncoderKernels.Padded"/> channels; where queries are
/// pooled, then what the result is added to. Queries have the factor log2(e) and the scores' scale.
/// </param>
/// <param name="Output">From the heads, with the same room, back to the channels.</param>
/// <param name="Biases">What is added to scores for the places of their tokens, one of three kinds.</param>
internal sealed record WindowAttentionWeights(
    int Window, int Heads, int HeadWidth, NormWeights Norm, LinearWeights Projections, LinearWeights Output, ScoreBiases Biases)
{
    /// <summary>Values of queries, keys and values in their order for <see cref="Projections"/>, from a weight's rows.</summary>
    /// <param name="heads">Heads.</param>
    /// <param name="headWidth">Channels of a head.</param>
    /// <param name="inputs">Values of a row of the weight; 1 for a bias.</param>
    /// <param name="weight">Rows.</param>
    /// <param name="rowOf">Which row is channel c of head h of part p: queries, keys, values.</param>
    /// <param name="queryFactor">What queries are multiplied with.</param>
    public static float[] Arrange(int heads, int headWidth, int inputs, ReadOnlySpan<float> weight, Func<int, int, int, int> rowOf, float queryFactor)
    {
        int room = EncoderKernels.Padded(headWidth);
        float[] arranged = new float[3 * heads * room * inputs];
        for (int part = 0; part < 3; part++)
        {
            for (int head = 0; head < heads; head++)
            {
                for (int channel = 0; channel < headWidth; channel++)
                {
                    Span<float> row = arranged.AsSpan(((((part * heads) + head) * room) + channel) * inputs, inputs);
                    weight.Slice(rowOf(part, head, channel) * inputs, inputs).CopyTo(row);
                    if (part == 0) System.Numerics.Tensors.TensorPrimitives.Multiply(row, queryFactor, row);
                }
            }
        }

        return arranged;
    }

    /// <summary>The output's weight, outputs x (head, channel), with room for each head.</summary>
    public static float[] ArrangeOutput(int heads, int headWidth, int outputs, ReadOnlySpan<float> weight)
    {
        int room = EncoderKernels.Padded(headWidth);
        float[] arranged = new float[outputs * heads * room];
        for (int row = 0; row < outputs * heads; row++) weight.Slice(row * headWidth, headWidth).CopyTo(arranged.AsSpan(row * room));
        return arranged;
    }
}

/// <summary>What attention within windows adds to its scores.</summary>
/// <param name="Table">Rows of <see cref="EncoderKernels.Padded"/> tokens, times log2(e), <see cref="EncoderKernels.NoScore"/> in what is beyond a window's tokens; 0 if there is none.</param>
/// <param name="HeadStride">Floats from a head's rows to the next head's.</param>
/// <param name="TokenStride">Floats from a query's row to the next token's.</param>
/// <param name="Relatives">Instead of a table: see <see cref="NetworkWeights.Relatives"/>.</param>
internal readonly record struct ScoreBiases(nint Table, nint HeadStride, nint TokenStride, LinearWeights? Relatives = null)
{
    /// <summary>A learnt value for each head, query and key.</summary>
    public static ScoreBiases Learnt(NetworkWeights weights, ReadOnlySpan<float> table, int tokens) =>
        new(weights.Copy(table), tokens * EncoderKernels.Padded(tokens), EncoderKernels.Padded(tokens));

    /// <summary>Scores know no positions; what is beyond the tokens is no key.</summary>
    public static ScoreBiases None(NetworkWeights weights, int tokens)
    {
        if (tokens == EncoderKernels.Padded(tokens)) return default;
        float[] row = new float[EncoderKernels.Padded(tokens)];
        row.AsSpan(tokens).Fill(EncoderKernels.NoScore);
        return new ScoreBiases(weights.Copy(row), 0, 0);
    }

    /// <summary>Decomposed relative positions.</summary>
    public static ScoreBiases Relative(LinearWeights relatives) => new(0, 0, 0, relatives);
}

/// <summary>
/// x + attention within windows, in place; or, with queries pooled, shortcut + attention, to a picture of half the size: an item has
/// some windows, from their tokens to their sums.
/// </summary>
/// <remarks>
/// Tokens that only fill up a window are zeros after the norm, so their keys and values are the biases: they are copied, and
/// nothing else is computed for them.
/// </remarks>
internal sealed unsafe class WindowAttentionPhase : NetworkPhase
{
    // Floats of an item's projections: with its other rows they stay in the second-level cache.
    private const int ProjectionValues = 96 << 10;

    private readonly Picture _picture, _result;
    private readonly WindowAttentionWeights _weights;
    private readonly bool _pools;
    private readonly int _across, _windows, _windowsOfItem, _tokens, _room, _headsRoom, _scoreRoom, _projectedStride, _normalStride, _sumStride, _productStride;

    /// <param name="picture">x.</param>
    /// <param name="result">What comes out: x itself, or a picture of half its sides, where queries and shortcut are the largest of two by two tokens.</param>
    /// <param name="weights">The weights.</param>
    public WindowAttentionPhase(Picture picture, Picture result, WindowAttentionWeights weights)
    {
        _picture = picture;
        _result = result;
        _pools = result != picture;
        _weights = weights;
        _across = (picture.Width + weights.Window - 1) / weights.Window;
        _windows = _across * ((picture.Height + weights.Window - 1) / weights.Window);
        _tokens = weights.Window * weights.Window;
        _room = EncoderKernels.Padded(weights.HeadWidth);
        _headsRoom = weights.Heads * _room;
        _projectedStride = EncoderKernels.Spread(weights.Projections.Columns);
        _normalStride = EncoderKernels.Spread(picture.Channels);
        _sumStride = EncoderKernels.Spread(_headsRoom);
        // Relative scores are written up to a vector beyond the keys, and their products read up to one beyond a table.
        _scoreRoom = EncoderKernels.Spread(EncoderKernels.Padded(_tokens) + (weights.Biases.Relatives is null ? 0 : EncoderKernels.Lanes));
        _productStride = weights.Biases.Relatives is { } relatives ? relatives.Columns + EncoderKernels.Lanes : 0;
        _windowsOfItem = Math.Clamp(ProjectionValues / (_tokens * _projectedStride), 1, _windows);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => (_windows + _windowsOfItem - 1) / _windowsOfItem;

    public override long MultiplyAdds
    {
        get
        {
            long queries = (long)_result.Width * _result.Height, channels = _weights.Heads * _weights.HeadWidth;
            long projected = (3 * channels) + (_pools ? _weights.Output.Outputs : 0);
            return ((long)_picture.Width * _picture.Height * _picture.Channels * projected)
                + (queries * channels * ((2 * _tokens) + _weights.Output.Outputs + (_weights.Biases.Relatives is null ? 0 : 2 * _weights.Window)));
        }
    }

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        // Of the tokens that the picture has, each window's one after the other.
        public float** Sources, Normals, Projections;

        // Of the queries: the tokens, or one for four of them.
        public float** Queries, Starts, Results, Sums;

        // Of one window's queries.
        public float** Scores, Biases, Products;

        public int* Tokens;

        public float* Rows, Projected, Score, Product, Keys, Values, Factors;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int tokens = _windowsOfItem * _tokens, pooled = _pools ? tokens : 0;
        return new Memory
        {
            Sources = TakeAddresses(ref arena, tokens),
            Normals = TakeAddresses(ref arena, tokens),
            Projections = TakeAddresses(ref arena, tokens),
            Queries = TakeAddresses(ref arena, pooled),
            Starts = TakeAddresses(ref arena, pooled),
            Results = TakeAddresses(ref arena, pooled),
            Sums = TakeAddresses(ref arena, tokens),
            Scores = TakeAddresses(ref arena, _tokens),
            Biases = TakeAddresses(ref arena, _tokens),
            Products = TakeAddresses(ref arena, _tokens),
            Tokens = (int*)arena.Take(_tokens),
            // The norm's rows, and later the heads' sums.
            Rows = arena.Take((long)tokens * Math.Max(_normalStride, _sumStride)),
            Projected = arena.Take((long)tokens * _projectedStride),
            Score = arena.Take((long)_tokens * _scoreRoom),
            Product = arena.Take((long)_tokens * _productStride),
            Keys = arena.Take((long)_scoreRoom * _weights.HeadWidth),
            Values = arena.Take((long)_tokens * _room),
            Factors = arena.Take(_tokens),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        int first = item * _windowsOfItem, windows = Math.Min(_windowsOfItem, _windows - first), there = 0;
        LinearWeights projections = _weights.Projections;

        // Which of the windows' tokens there are. Projections of the others are the bias.
        for (int i = 0; i < windows * _tokens; i++)
        {
            (int y, int x) = PlaceOf(first, i);
            float* projected = memory.Projected + ((nint)i * _projectedStride);
            if (y >= _picture.Height || x >= _picture.Width)
            {
                new ReadOnlySpan<float>((float*)projections.Bias, projections.Columns).CopyTo(new Span<float>(projected, projections.Columns));
                continue;
            }

            memory.Sources[there] = run.Row(_picture, y) + (x * _picture.Stride);
            memory.Projections[there++] = projected;
        }

        TileOperations operations = run.Operations;
        NormWeights norm = _weights.Norm;
        operations.LayerNorm(memory.Sources, there, _picture.Channels, (float*)norm.Weight, (float*)norm.Bias, norm.Epsilon, memory.Rows, _normalStride);
        Fill(memory.Normals, there, memory.Rows, _normalStride);
        RowProduct product = projections.Of(memory.Normals, there);
        product.Result = memory.Projections;
        operations.Product(product);
        int queries = there;
        if (_pools)
        {
            queries = Pool(run, memory, first, windows);
        }
        else
        {
            memory.Queries = memory.Projections;
            memory.Starts = memory.Results = memory.Sources;
        }

        Fill(memory.Sums, queries, memory.Rows, _sumStride);
        for (int i = 0, from = 0; i < windows; i++)
        {
            float* end = memory.Projected + ((nint)(i + 1) * _tokens * _projectedStride);
            int count = 0;
            while (from + count < queries && memory.Queries[from + count] < end) count++;
            Attend(run, memory, i, from, count);
            from += count;
        }

        product = _weights.Output.Of(memory.Sums, queries);
        product.Start = memory.Starts;
        product.Result = memory.Results;
        operations.Product(product);
    }

    // Where token i of some windows is in the picture, or would be if it went on there.
    private (int Y, int X) PlaceOf(int firstWindow, int i)
    {
        (int window, int token) = Math.DivRem(i, _tokens);
        (int windowY, int windowX) = Math.DivRem(firstWindow + window, _across);
        (int y, int x) = Math.DivRem(token, _weights.Window);
        return ((windowY * _weights.Window) + y, (windowX * _weights.Window) + x);
    }

    // Queries and shortcuts of two by two tokens, in the place of the first. Windows and pictures have even sides, so there are all four
    // or none.
    private int Pool(NetworkRun run, in Memory memory, int firstWindow, int windows)
    {
        int queries = 0;
        nint shortcut = 3 * _headsRoom;
        float** four = stackalloc float*[4];
        for (int i = 0; i < windows * _tokens; i++)
        {
            (int y, int x) = PlaceOf(firstWindow, i);
            int token = i % _tokens;
            if (token / _weights.Window % 2 != 0 || token % _weights.Window % 2 != 0 || y >= _picture.Height || x >= _picture.Width) continue;
            float* projected = memory.Projected + ((nint)i * _projectedStride);
            four[0] = projected;
            four[1] = projected + _projectedStride;
            four[2] = projected + ((nint)_weights.Window * _projectedStride);
            four[3] = four[2] + _projectedStride;
            run.Operations.LargestOfFour(four, 0, 1, _headsRoom);
            run.Operations.LargestOfFour(four, shortcut, 1, _weights.Projections.Columns - (int)shortcut);
            memory.Queries[queries] = projected;
            memory.Starts[queries] = projected + shortcut;
            memory.Results[queries++] = run.Row(_result, y / 2) + (x / 2 * _result.Stride);
        }

        return queries;
    }

    // The heads' sums of one window, for those of its queries that there are.
    private void Attend(NetworkRun run, in Memory memory, int window, int from, int count)
    {
        TileOperations operations = run.Operations;
        ScoreBiases biases = _weights.Biases;
        float* projected = memory.Projected + ((nint)window * _tokens * _projectedStride);
        float** queries = memory.Queries + from;
        Fill(memory.Scores, count, memory.Score, _scoreRoom);
        Fill(memory.Products, count, memory.Product, _productStride);
        for (int i = 0; i < count; i++)
        {
            memory.Tokens[i] = (int)((queries[i] - projected) / _projectedStride);
            memory.Biases[i] = (float*)biases.Table + (memory.Tokens[i] * biases.TokenStride);
        }

        int scoreColumns = (_tokens + operations.Width - 1) / operations.Width * operations.Width;
        for (int head = 0; head < _weights.Heads; head++)
        {
            nint channel = head * _room;
            RowProduct scores = new()
            {
                Rows = queries,
                Offset = channel,
                Count = count,
                Segments = 1,
                Length = _weights.HeadWidth,
                Matrix = memory.Keys,
                Columns = scoreColumns,
                Result = memory.Scores,
            };
            if (biases.Relatives is { } relatives)
            {
                RowProduct product = relatives.Of(queries, count);
                product.Offset = channel;
                product.Result = memory.Products;
                operations.Product(product);
                operations.RelativeScores(new RelativeScoreTile
                {
                    Products = memory.Product,
                    ProductStride = _productStride,
                    Columns = relatives.Columns / 2,
                    Tokens = memory.Tokens,
                    Queries = count,
                    Side = _weights.Window,
                    Rows = _weights.Window,
                    Scores = memory.Score,
                    ScoreStride = _scoreRoom,
                });
                scores.Start = memory.Scores;
            }
            else if (biases.Table != 0)
            {
                scores.Start = memory.Biases;
                scores.StartOffset = head * biases.HeadStride;
            }

            operations.PackTransposed(projected + _headsRoom + channel, _projectedStride, _tokens, _weights.HeadWidth, memory.Keys);
            operations.Product(scores);
            operations.SoftmaxPowers(memory.Score, _scoreRoom, count, scoreColumns, memory.Factors);
            operations.PackRows(projected + (2 * _headsRoom) + channel, _projectedStride, _room, _tokens, memory.Values);
            operations.Product(new RowProduct
            {
                Rows = memory.Scores,
                Count = count,
                Segments = 1,
                Length = _tokens,
                Matrix = memory.Values,
                Columns = _room,
                Result = memory.Sums + from,
                ResultOffset = channel,
            });
            operations.ScaleRows(memory.Sums + from, channel, count, _room, memory.Factors);
        }
    }
}
