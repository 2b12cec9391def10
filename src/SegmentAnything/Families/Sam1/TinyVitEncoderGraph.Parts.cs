using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam1;

/// <content>The encoder as a chain of parts, each of which computes a piece of the picture on one thread.</content>
internal sealed partial class TinyVitEncoderGraph
{
    // Tokens of the windows of a piece: enough for products that are worth their start.
    private const int TokensOfWindows = 256;

    /// <summary>Builds the parts, in their order: the first takes the image, each of the others what the one before gives.</summary>
    /// <param name="weights">Under their official names.</param>
    /// <param name="form">What the graphs are built for.</param>
    /// <param name="threads">Threads that will share the pieces: each part has several for each of them, if it can.</param>
    /// <param name="imageSize">Side of the picture, in pixels.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static List<EncoderPart> BuildParts(
        StateDict weights, EncoderForm form, int threads, int imageSize = TinyVitLayout.DefaultImageSize)
    {
        TinyVitLayout layout = TinyVitLayout.Of(weights, imageSize);
        // A piece is small enough: within it nothing is divided any more.
        EncoderForm whole = form with { ValuesOfPart = int.MaxValue };
        TinyVitEncoderGraph Next() => new(weights, layout, WeightOptions.Default, whole);

        List<EncoderPart> parts = [Next().ImagePart(form, threads)];
        for (int s = 1; s < layout.Stages.Length; s++)
        {
            TinyVitStage stage = layout.Stages[s];
            int grid = parts[^1].ResultGrid;
            for (int b = 0; b < stage.Depth; b++)
            {
                parts.Add(Next().WindowPart($"layers.{s}.blocks.{b}.attn.", stage, grid));
                parts.Add(Next().BlockPart(s, b, grid, form, threads));
            }

            if (stage.Stride > 0) parts.Add(Next().MergePart(s, grid, form, threads));
        }

        parts.Add(Next().NeckPart(parts[^1].ResultGrid, form, threads));
        return parts;
    }

    // The first stage, to rows of tokens.
    private EncoderPart ImagePart(EncoderForm form, int threads)
    {
        FirstStageSteps steps = ReadFirstStage();
        int size = _layout.ImageSize, grid = size / 4, result = grid / steps.Merge.Stride, channels = steps.Merge.Channels;
        int rows = RowsOfPiece(result, steps.Merge.Stride * _layout.Stages[0].Hidden * grid, form.ValuesOfFirstStrip, threads);
        int computed = Math.Min(result, steps.SpoiltAbove + rows + steps.SpoiltBelow);
        Value image = _g.Input("image", 1, 3, computed * (size / result), size);
        _g.Output("tokens", TokenRows.ToRows(_g, steps.Apply(_g, image), computed, result, channels), computed * result, channels);
        return new EncoderPart
        {
            Model = _g.ToBytes(),
            Kind = EncoderPartKind.Image,
            SourceGrid = size,
            SourceChannels = 3,
            ResultGrid = result,
            ResultChannels = channels,
            Rows = rows,
            ComputedRows = computed,
            WrongAbove = steps.SpoiltAbove,
        };
    }

    // x + attention within windows.
    private EncoderPart WindowPart(string name, TinyVitStage stage, int grid)
    {
        int channels = stage.Channels, tokens = stage.Window * stage.Window, across = (grid + stage.Window - 1) / stage.Window;
        int windows = Math.Clamp(TokensOfWindows / tokens, 1, across * across);
        AttentionWeights weights = ReadAttention(name, stage);
        Value x = _g.Input("windows", windows * tokens, channels);
        Value result = _rows.AttentionOfWindows(_g, x, windows, new TokenRows.WindowSizes(grid, stage.Window, stage.Heads, channels / stage.Heads),
            name, (weights.Query, weights.Key, weights.Value), weights.Output, TokenNormEpsilon, (g, q, k, v) => Attend(g, q, k, v, weights.Biases));
        _g.Output("result", result, windows * tokens, channels);
        return new EncoderPart
        {
            Model = _g.ToBytes(),
            Kind = EncoderPartKind.Windows,
            SourceGrid = grid,
            SourceChannels = channels,
            ResultGrid = grid,
            ResultChannels = channels,
            Window = stage.Window,
            Windows = windows,
        };
    }

    // The rest of a block. After a stage's last block comes what the next step does to each token alone, before a
    // convolution that pads its result with zeros.
    private EncoderPart BlockPart(int s, int block, int grid, EncoderForm form, int threads)
    {
        TinyVitStage stage = _layout.Stages[s];
        string name = $"layers.{s}.blocks.{block}.";
        int channels = stage.Channels, rows = RowsOfPiece(grid, grid * stage.Hidden, form.ValuesOfPart, threads), count = rows * grid;
        Value planes = TokenRows.ToPlanes(_g, _g.Input("tokens", (rows + 2) * grid, channels), rows + 2, grid, channels);
        Value x = TokenRows.ToRows(_g, Folded(name + "local_conv", 1, channels, 3).ApplyToStrip(_g, planes), rows, grid, channels);
        x = _rows.Mlp(_g, x, name + "mlp.norm", name + "mlp.fc1", name + "mlp.fc2", count, channels, stage.Hidden, TokenNormEpsilon);
        if (block == stage.Depth - 1 && stage.Stride > 0)
        {
            int next = _layout.Stages[s + 1].Channels;
            string conv = $"layers.{s}.downsample.conv1";
            (float[] weight, float[] bias) = FoldedWeights(conv, channels, next, 1);
            (x, channels) = (_g.Gelu(TokenRows.Linear(_g, x, conv, weight, bias)), next);
        }
        else if (block == stage.Depth - 1)
        {
            x = NeckOfTokens(x, count);
            channels = _layout.OutputChannels;
        }

        _g.Output("result", x, count, channels);
        return Strips(EncoderPartKind.Strips, grid, stage.Channels, grid, channels, rows);
    }

    // The rest of the step to the next stage: a convolution that looks around, and one that does not.
    private EncoderPart MergePart(int s, int grid, EncoderForm form, int threads)
    {
        string name = $"layers.{s}.downsample.";
        int stride = _layout.Stages[s].Stride, channels = _layout.Stages[s + 1].Channels, result = grid / stride;
        Convolution around = Folded(name + "conv2", 1, channels, 3), last = Folded(name + "conv3", channels, channels, 1);
        int rows = RowsOfPiece(result, stride * grid * channels, form.ValuesOfPart, threads), sourceRows = stride * (rows - 1) + 3;
        Value planes = TokenRows.ToPlanes(_g, _g.Input("tokens", sourceRows * grid, channels), sourceRows, grid, channels);
        Value x = last.Apply(_g, _g.Gelu(around.ApplyToStrip(_g, planes, stride)));
        _g.Output("result", TokenRows.ToRows(_g, x, rows, result, channels), rows * result, channels);
        return Strips(EncoderPartKind.Strips, grid, channels, result, channels, rows);
    }

    private EncoderPart NeckPart(int grid, EncoderForm form, int threads)
    {
        int channels = _layout.OutputChannels, rows = RowsOfPiece(grid, grid * channels, form.ValuesOfPart / 2, threads);
        Value planes = TokenRows.ToPlanes(_g, _g.Input("tokens", (rows + 2) * grid, channels), rows + 2, grid, channels);
        _g.Output("planes", NeckOfPlanes(planes, rows, grid, padding: 0), 1, channels, rows, grid);
        return Strips(EncoderPartKind.StripsToPlanes, grid, channels, grid, channels, rows);
    }

    private EncoderPart Strips(EncoderPartKind kind, int sourceGrid, int sourceChannels, int resultGrid, int resultChannels, int rows) => new()
    {
        Model = _g.ToBytes(),
        Kind = kind,
        SourceGrid = sourceGrid,
        SourceChannels = sourceChannels,
        ResultGrid = resultGrid,
        ResultChannels = resultChannels,
        Rows = rows,
    };

    // As many rows as fit, so few that every thread has two pieces, of those that divide the picture evenly.
    private static int RowsOfPiece(int grid, int valuesOfRow, int values, int threads)
    {
        int rows = Math.Clamp(Math.Min(values / valuesOfRow, grid / (2 * threads)), 1, grid);
        while (grid % rows != 0) rows--;
        return rows;
    }
}
