using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>What attention among all tokens of a picture is made of.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="HeadWidth">Channels of a head.</param>
/// <param name="Norm">What goes before.</param>
/// <param name="Queries">Each head with room for <see cref="EncoderKernels.Padded"/> channels; with the factor log2(e) and the scores' scale.</param>
/// <param name="Keys">With the same room.</param>
/// <param name="Values">With the same room.</param>
/// <param name="Relatives">See <see cref="NetworkWeights.Relatives"/>; null where scores know no positions.</param>
internal sealed record GlobalAttentionWeights(
    int Heads, int HeadWidth, NormWeights Norm, LinearWeights Queries, LinearWeights Keys, LinearWeights Values, LinearWeights? Relatives);

/// <summary>
/// Where the queries, keys and values of attention among all tokens are, between the phase that computes them and the one that
/// uses them. Keys and values lie packed, by tile of some rows of tokens, and within a tile by head.
/// </summary>
internal sealed class GlobalAttention
{
    // Keys of a tile: their scores for a tile of queries stay in the second-level cache.
    private const int KeysOfTile = 256;

    private readonly Picture _queries, _keys, _values;

    /// <param name="plan">Gives the memory.</param>
    /// <param name="picture">The tokens.</param>
    /// <param name="weights">The weights.</param>
    public GlobalAttention(PicturePlan plan, Picture picture, GlobalAttentionWeights weights)
    {
        Source = picture;
        Weights = weights;
        Room = EncoderKernels.Padded(weights.HeadWidth);
        RowsOfTile = Math.Clamp(KeysOfTile / picture.Width, 1, picture.Height);
        Tiles = (picture.Height + RowsOfTile - 1) / RowsOfTile;
        TileRoom = EncoderKernels.Padded(RowsOfTile * picture.Width);
        _queries = plan.Take(picture.Width, picture.Height, weights.Heads * Room);
        _keys = plan.Take(TileRoom, Tiles * weights.Heads, Room);
        _values = plan.Take(TileRoom, Tiles * weights.Heads, Room);
    }

    /// <summary>The tokens.</summary>
    public Picture Source { get; }

    /// <summary>The weights.</summary>
    public GlobalAttentionWeights Weights { get; }

    /// <summary>Floats that a head's channels have room for.</summary>
    public int Room { get; }

    /// <summary>Tiles of keys.</summary>
    public int Tiles { get; }

    /// <summary>Rows of tokens in each but the last.</summary>
    public int RowsOfTile { get; }

    /// <summary>Tokens that a tile has room for.</summary>
    public int TileRoom { get; }

    /// <summary>[y][x][head][room]: queries, and afterwards what the heads sum up.</summary>
    public Picture Queries => _queries;

    /// <summary>Rows of a tile.</summary>
    public int RowsOf(int tile) => Math.Min(RowsOfTile, Source.Height - (tile * RowsOfTile));

    /// <summary>A head's packed keys of a tile.</summary>
    public unsafe float* Keys(NetworkRun run, int tile, int head) => run.Row(_keys, (tile * Weights.Heads) + head);

    /// <summary>A head's packed values of a tile.</summary>
    public unsafe float* Values(NetworkRun run, int tile, int head) => run.Row(_values, (tile * Weights.Heads) + head);

    /// <summary>The phases that are added from here on need none of it.</summary>
    public void Release(PicturePlan plan)
    {
        plan.Release(_queries);
        plan.Release(_keys);
        plan.Release(_values);
    }
}

/// <summary>Queries, keys and values of norm(x): an item is a tile of keys.</summary>
internal sealed unsafe class GlobalProjectionPhase : NetworkPhase
{
    private readonly GlobalAttention _attention;
    private readonly int _normalStride;

    public GlobalProjectionPhase(GlobalAttention attention)
    {
        _attention = attention;
        _normalStride = EncoderKernels.Spread(attention.Source.Channels);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => _attention.Tiles;

    public override long MultiplyAdds =>
        3L * _attention.Source.Width * _attention.Source.Height * _attention.Source.Channels * _attention.Weights.Heads * _attention.Weights.HeadWidth;

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        public float** Normals, Results;

        public float* Normal, Projected;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int tokens = _attention.RowsOfTile * _attention.Source.Width;
        return new Memory
        {
            Normals = TakeAddresses(ref arena, tokens),
            Results = TakeAddresses(ref arena, tokens),
            Normal = arena.Take((long)tokens * _normalStride),
            Projected = arena.Take((long)tokens * _attention.Queries.Stride),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        TileOperations operations = run.Operations;
        GlobalAttentionWeights weights = _attention.Weights;
        Picture source = _attention.Source, queries = _attention.Queries;
        int first = item * _attention.RowsOfTile, tokens = _attention.RowsOf(item) * source.Width, room = _attention.Room, stride = queries.Stride;
        Fill(memory.Results, tokens, run.Row(source, first), source.Stride);
        operations.LayerNorm(
            memory.Results, tokens, source.Channels, (float*)weights.Norm.Weight, (float*)weights.Norm.Bias, weights.Norm.Epsilon, memory.Normal, _normalStride);
        Fill(memory.Normals, tokens, memory.Normal, _normalStride);

        Fill(memory.Results, tokens, run.Row(queries, first), stride);
        Project(weights.Queries, memory);
        Fill(memory.Results, tokens, memory.Projected, stride);
        Project(weights.Keys, memory);
        for (int head = 0; head < weights.Heads; head++)
            operations.PackTransposed(memory.Projected + (head * room), stride, tokens, weights.HeadWidth, _attention.Keys(run, item, head));
        Project(weights.Values, memory);
        for (int head = 0; head < weights.Heads; head++)
            operations.PackRows(memory.Projected + (head * room), stride, room, tokens, _attention.Values(run, item, head));

        void Project(LinearWeights linear, in Memory rows)
        {
            RowProduct product = linear.Of(rows.Normals, tokens);
            product.Result = rows.Results;
            operations.Product(product);
        }
    }
}

/// <summary>
/// softmax(q·k + relative positions)·v, in the place of the queries: an item is a head's tile of queries, which meets one tile of keys
/// after the other, so that no matrix of scores is ever in memory.
/// </summary>
internal sealed unsafe class GlobalAttentionPhase : NetworkPhase
{
    // Queries of an item: their scores for a tile of keys stay in the second-level cache.
    private const int QueriesOfItem = 128;

    private readonly GlobalAttention _attention;
    private readonly int _rowsOfItem, _scoreStride, _productStride;

    public GlobalAttentionPhase(GlobalAttention attention)
    {
        _attention = attention;
        _rowsOfItem = Math.Clamp(QueriesOfItem / attention.Source.Width, 1, attention.Source.Height);
        // Relative scores are written up to a vector beyond the keys, and their products read up to one beyond a table.
        _scoreStride = EncoderKernels.Spread(attention.TileRoom + (attention.Weights.Relatives is null ? 0 : EncoderKernels.Lanes));
        _productStride = attention.Weights.Relatives is { } relatives ? relatives.Columns + EncoderKernels.Lanes : 0;
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => _attention.Weights.Heads * TilesOfQueries;

    public override long MultiplyAdds
    {
        get
        {
            long tokens = (long)_attention.Source.Width * _attention.Source.Height, channels = _attention.Weights.Heads * _attention.Weights.HeadWidth;
            return tokens * channels * ((2 * tokens) + (_attention.Weights.Relatives is null ? 0 : 2 * _attention.Source.Width));
        }
    }

    public override long ScratchLength { get; }

    private int TilesOfQueries => (_attention.Source.Height + _rowsOfItem - 1) / _rowsOfItem;

    private ref struct Memory
    {
        public float** Queries, Products, Scores, Masks, Sums;

        public int* Tokens;

        public float* Query, Product, Score, Mask, Sum, References, Totals, Factors;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int queries = _rowsOfItem * _attention.Source.Width;
        return new Memory
        {
            Queries = TakeAddresses(ref arena, queries),
            Products = TakeAddresses(ref arena, queries),
            Scores = TakeAddresses(ref arena, queries),
            Masks = TakeAddresses(ref arena, queries),
            Sums = TakeAddresses(ref arena, queries),
            Tokens = (int*)arena.Take(queries),
            Query = arena.Take((long)queries * _attention.Room),
            Product = arena.Take((long)queries * _productStride),
            Score = arena.Take((long)queries * _scoreStride),
            Mask = arena.Take(_attention.TileRoom),
            Sum = arena.Take((long)queries * _attention.Room),
            References = arena.Take(queries),
            Totals = arena.Take(queries),
            Factors = arena.Take(queries),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        TileOperations operations = run.Operations;
        Picture queries = _attention.Queries;
        (int head, int tileOfQueries) = Math.DivRem(item, TilesOfQueries);
        int room = _attention.Room, width = queries.Width, first = tileOfQueries * _rowsOfItem, count = (Math.Min(first + _rowsOfItem, queries.Height) - first) * width;
        float* place = run.Row(queries, first) + (head * room);
        for (int i = 0; i < count; i++)
        {
            new ReadOnlySpan<float>(place + (i * (nint)queries.Stride), room).CopyTo(new Span<float>(memory.Query + (i * room), room));
            memory.Tokens[i] = (first * width) + i;
        }

        Fill(memory.Queries, count, memory.Query, room);
        Fill(memory.Scores, count, memory.Score, _scoreStride);
        Fill(memory.Masks, count, memory.Mask, 0);
        Fill(memory.Sums, count, memory.Sum, room);
        if (_attention.Weights.Relatives is { } relatives)
        {
            Fill(memory.Products, count, memory.Product, _productStride);
            RowProduct product = relatives.Of(memory.Queries, count);
            product.Result = memory.Products;
            operations.Product(product);
        }

        for (int tile = 0; tile < _attention.Tiles; tile++) Meet(run, memory, tile, head, count);
        for (int i = 0; i < count; i++) memory.Factors[i] = 1 / memory.Totals[i];
        operations.ScaleRows(memory.Sums, 0, count, room, memory.Factors);
        for (int i = 0; i < count; i++)
            new ReadOnlySpan<float>(memory.Sum + (i * room), room).CopyTo(new Span<float>(place + (i * (nint)queries.Stride), room));
    }

    // What one tile of keys adds to the sums.
    private void Meet(NetworkRun run, in Memory memory, int tile, int head, int count)
    {
        TileOperations operations = run.Operations;
        GlobalAttentionWeights weights = _attention.Weights;
        int rows = _attention.RowsOf(tile), tokens = rows * _attention.Source.Width, columns = (tokens + operations.Width - 1) / operations.Width * operations.Width;
        RowProduct scores = new()
        {
            Rows = memory.Queries,
            Count = count,
            Segments = 1,
            Length = weights.HeadWidth,
            Matrix = _attention.Keys(run, tile, head),
            Columns = columns,
            Result = memory.Scores,
        };
        if (weights.Relatives is { } relatives)
        {
            operations.RelativeScores(new RelativeScoreTile
            {
                Products = memory.Product,
                ProductStride = _productStride,
                Columns = relatives.Columns / 2,
                Tokens = memory.Tokens,
                Queries = count,
                Side = _attention.Source.Width,
                FirstRow = tile * _attention.RowsOfTile,
                Rows = rows,
                Scores = memory.Score,
                ScoreStride = _scoreStride,
            });
            scores.Start = memory.Scores;
        }
        else if (columns > tokens)
        {
            new Span<float>(memory.Mask, tokens).Clear();
            new Span<float>(memory.Mask + tokens, columns - tokens).Fill(EncoderKernels.NoScore);
            scores.Start = memory.Masks;
        }

        operations.Product(scores);
        bool first = tile == 0;
        if (operations.RunningSoftmax(memory.Score, _scoreStride, count, columns, first, memory.References, memory.Totals, memory.Factors))
            operations.ScaleRows(memory.Sums, 0, count, _attention.Room, memory.Factors);
        operations.Product(new RowProduct
        {
            Rows = memory.Scores,
            Count = count,
            Segments = 1,
            Length = tokens,
            Matrix = _attention.Values(run, tile, head),
            Columns = _attention.Room,
            Start = first ? null : memory.Sums,
            Result = memory.Sums,
        });
    }
}
