using SegmentAnything.Kernels;

namespace SegmentAnything.Networks;

/// <summary>What attention within windows is made of.</summary>
/// <param name="Window">Tokens along each side of a window; windows that reach beyond the picture are filled up there.</param>
/// <param name="Heads">Heads.</param>
/// <param name="HeadWidth">Channels of a head.</param>
/// <param name="Norm">What goes before.</param>
/// <param name="Projections">Queries, keys, values, one after the other, each head with room for <see cref="EncoderKernels.Padded"/> channels. Queries have the factor log2(e) and the scores' scale.</param>
/// <param name="Output">From the heads, with the same room, back to the channels.</param>
/// <param name="Biases">[head][token][<see cref="EncoderKernels.Padded"/> tokens]: what is added to scores, times log2(e); <see cref="EncoderKernels.NoScore"/> in what is beyond a window's tokens.</param>
internal sealed record WindowAttentionWeights(
    int Window, int Heads, int HeadWidth, NormWeights Norm, LinearWeights Projections, LinearWeights Output, nint Biases)
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

/// <summary>x + attention within windows, in place: an item has some windows, from their tokens to their sums.</summary>
/// <remarks>
/// Tokens that only fill up a window are zeros after the norm, so their keys and values are the biases: they are copied, and
/// nothing else is computed for them.
/// </remarks>
internal sealed unsafe class WindowAttentionPhase : NetworkPhase
{
    // Floats of an item's projections: with its other rows they stay in the second-level cache.
    private const int ProjectionValues = 96 << 10;

    private readonly Picture _picture;
    private readonly WindowAttentionWeights _weights;
    private readonly int _across, _windows, _windowsOfItem, _tokens, _room, _headsRoom, _scoreRoom;

    /// <param name="picture">x, and the result.</param>
    /// <param name="weights">The weights.</param>
    public WindowAttentionPhase(Picture picture, WindowAttentionWeights weights)
    {
        _picture = picture;
        _weights = weights;
        _across = (picture.Width + weights.Window - 1) / weights.Window;
        _windows = _across * ((picture.Height + weights.Window - 1) / weights.Window);
        _tokens = weights.Window * weights.Window;
        _room = EncoderKernels.Padded(weights.HeadWidth);
        _headsRoom = weights.Heads * _room;
        _scoreRoom = EncoderKernels.Padded(_tokens);
        _windowsOfItem = Math.Clamp(ProjectionValues / (_tokens * 3 * _headsRoom), 1, _windows);
        FloatArena arena = default;
        Deal(ref arena);
        ScratchLength = arena.Used;
    }

    public override int Items => (_windows + _windowsOfItem - 1) / _windowsOfItem;

    public override long MultiplyAdds
    {
        get
        {
            long channels = _weights.Heads * _weights.HeadWidth;
            return (long)_picture.Width * _picture.Height * ((4 * channels * channels) + (2 * channels * _tokens));
        }
    }

    public override long ScratchLength { get; }

    private ref struct Memory
    {
        // Of the tokens that the picture has.
        public float** Sources, Normals, Sums;

        // Of the tokens that windows have, each window's one after the other.
        public float** Projections;

        // Of one window's.
        public float** Scores, Biases;

        public float* Rows, Projected, Score, Keys, Values, Factors;
    }

    private Memory Deal(ref FloatArena arena)
    {
        int tokens = _windowsOfItem * _tokens;
        return new Memory
        {
            Sources = TakeAddresses(ref arena, tokens),
            Normals = TakeAddresses(ref arena, tokens),
            Sums = TakeAddresses(ref arena, tokens),
            Projections = TakeAddresses(ref arena, tokens),
            Scores = TakeAddresses(ref arena, _tokens),
            Biases = TakeAddresses(ref arena, _tokens),
            // The norm's rows, and later the heads' sums.
            Rows = arena.Take((long)tokens * Math.Max(_picture.Stride, _headsRoom)),
            Projected = arena.Take(3L * tokens * _headsRoom),
            Score = arena.Take((long)_tokens * _scoreRoom),
            Keys = arena.Take((long)_scoreRoom * _weights.HeadWidth),
            Values = arena.Take((long)_tokens * _room),
            Factors = arena.Take(_tokens),
        };
    }

    public override void Execute(NetworkRun run, int item, float* scratch)
    {
        FloatArena arena = new(scratch);
        Memory memory = Deal(ref arena);
        int first = item * _windowsOfItem, windows = Math.Min(_windowsOfItem, _windows - first), there = 0, window = _weights.Window;
        nint projectedStride = 3 * _headsRoom;
        LinearWeights projections = _weights.Projections;

        // Which of the windows' tokens there are. Projections of the others are the bias.
        for (int i = 0; i < windows * _tokens; i++)
        {
            (int index, int token) = Math.DivRem(i, _tokens);
            int y = ((first + index) / _across * window) + (token / window), x = ((first + index) % _across * window) + (token % window);
            float* projected = memory.Projected + (i * projectedStride);
            if (y >= _picture.Height || x >= _picture.Width)
            {
                new ReadOnlySpan<float>((float*)projections.Bias, 3 * _headsRoom).CopyTo(new Span<float>(projected, 3 * _headsRoom));
                continue;
            }

            memory.Sources[there] = run.Row(_picture, y) + (x * _picture.Stride);
            memory.Projections[there++] = projected;
        }

        TileOperations operations = run.Operations;
        NormWeights norm = _weights.Norm;
        operations.LayerNorm(memory.Sources, there, _picture.Channels, (float*)norm.Weight, (float*)norm.Bias, norm.Epsilon, memory.Rows, _picture.Stride);
        Fill(memory.Normals, there, memory.Rows, _picture.Stride);
        RowProduct product = projections.Of(memory.Normals, there);
        product.Result = memory.Projections;
        operations.Product(product);

        Fill(memory.Sums, there, memory.Rows, _headsRoom);
        for (int i = 0, from = 0; i < windows; i++)
        {
            float* end = memory.Projected + ((i + 1) * _tokens * projectedStride);
            int count = 0;
            while (from + count < there && memory.Projections[from + count] < end) count++;
            Attend(run, memory, i, from, count);
            from += count;
        }

        product = _weights.Output.Of(memory.Sums, there);
        product.Start = product.Result = memory.Sources;
        operations.Product(product);
    }

    // The heads' sums of one window, for those of its tokens that there are.
    private void Attend(NetworkRun run, in Memory memory, int window, int from, int count)
    {
        TileOperations operations = run.Operations;
        nint stride = 3 * _headsRoom;
        float* projected = memory.Projected + (window * _tokens * stride);
        Fill(memory.Scores, count, memory.Score, _scoreRoom);
        for (int i = 0; i < count; i++)
            memory.Biases[i] = (float*)_weights.Biases + ((memory.Projections[from + i] - projected) / stride * _scoreRoom);
        int scoreColumns = (_tokens + operations.Width - 1) / operations.Width * operations.Width;
        for (int head = 0; head < _weights.Heads; head++)
        {
            nint channel = head * _room;
            operations.PackTransposed(projected + _headsRoom + channel, stride, _tokens, _weights.HeadWidth, memory.Keys);
            operations.Product(new RowProduct
            {
                Rows = memory.Projections + from,
                Offset = channel,
                Count = count,
                Segments = 1,
                Length = _weights.HeadWidth,
                Matrix = memory.Keys,
                Columns = scoreColumns,
                Start = memory.Biases,
                StartOffset = (nint)head * _tokens * _scoreRoom,
                Result = memory.Scores,
            });
            operations.SoftmaxPowers(memory.Score, _scoreRoom, count, scoreColumns, memory.Factors);
            operations.PackRows(projected + (2 * _headsRoom) + channel, stride, _room, _tokens, memory.Values);
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
