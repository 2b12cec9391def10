using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Tests.Graphs;

namespace SegmentAnything.Tests.Families.Sam1;

/// <summary>
/// The ViT encoder in plain loops and double precision, as the official code orders its steps: windows are padded, every
/// token has its biases, relative positions are added to the scores. Only for small models.
/// </summary>
internal sealed class PlainVit(StateDict weights, VitLayout layout)
{
    private const string Prefix = VitLayout.Prefix;

    /// <summary>Random weights of a layout; nothing is zero or one by luck.</summary>
    public static InMemoryStateDict RandomWeights(VitLayout layout, int seed)
    {
        var random = new Random(seed);
        Dictionary<string, (int[] Shape, float[] Values)> tensors = [];
        int c = layout.Channels, o = layout.OutputChannels;
        Add("pos_embed", 0.5f, 1, layout.Grid, layout.Grid, c);
        Linear("patch_embed.proj", c, 3, layout.PatchSize, layout.PatchSize);
        for (int i = 0; i < layout.Depth; i++)
        {
            string block = $"blocks.{i}.";
            Norm(block + "norm1", c);
            Norm(block + "norm2", c);
            Add(block + "attn.rel_pos_h", 0.5f, 2 * layout.Windows[i] - 1, layout.HeadChannels);
            Add(block + "attn.rel_pos_w", 0.5f, 2 * layout.Windows[i] - 1, layout.HeadChannels);
            Linear(block + "attn.qkv", 3 * c, c);
            Linear(block + "attn.proj", c, c);
            Linear(block + "mlp.lin1", layout.HiddenChannels, c);
            Linear(block + "mlp.lin2", c, layout.HiddenChannels);
        }

        Add("neck.0.weight", 1 / MathF.Sqrt(c), o, c, 1, 1);
        Norm("neck.1", o);
        Add("neck.2.weight", 1 / MathF.Sqrt(9 * o), o, o, 3, 3);
        Norm("neck.3", o);
        return new InMemoryStateDict("random weights", tensors);

        void Linear(string name, params int[] shape)
        {
            Add(name + ".weight", 1 / MathF.Sqrt(shape[1..].Aggregate(1, (a, b) => a * b)), shape);
            Add(name + ".bias", 0.3f, shape[0]);
        }

        void Norm(string name, int length)
        {
            Add(name + ".weight", 0.3f, length);
            float[] values = tensors[Prefix + name + ".weight"].Values;
            for (int i = 0; i < length; i++) values[i] += 1;
            Add(name + ".bias", 0.3f, length);
        }

        void Add(string name, float scale, params int[] shape)
        {
            float[] values = new float[shape.Aggregate(1, (a, b) => a * b)];
            for (int i = 0; i < values.Length; i++) values[i] = scale * (2 * random.NextSingle() - 1);
            tensors[Prefix + name] = (shape, values);
        }
    }

    /// <summary>(3, S, S) to (C, G, G).</summary>
    public double[] Encode(float[] image)
    {
        int grid = layout.Grid, patch = layout.PatchSize, size = layout.ImageSize, c = layout.Channels;
        float[] kernel = Read("patch_embed.proj.weight"), bias = Read("patch_embed.proj.bias"), positions = Read("pos_embed");
        double[,][] x = new double[grid, grid][];
        for (int gy = 0; gy < grid; gy++)
        {
            for (int gx = 0; gx < grid; gx++)
            {
                x[gy, gx] = new double[c];
                for (int o = 0; o < c; o++)
                {
                    double sum = bias[o] + positions[(gy * grid + gx) * c + o];
                    for (int i = 0; i < 3; i++)
                    {
                        for (int y = 0; y < patch; y++)
                        {
                            for (int k = 0; k < patch; k++)
                                sum += kernel[((o * 3 + i) * patch + y) * patch + k] * image[(i * size + gy * patch + y) * size + gx * patch + k];
                        }
                    }

                    x[gy, gx][o] = sum;
                }
            }
        }

        for (int b = 0; b < layout.Depth; b++) x = Block(x, $"blocks.{b}.", layout.Windows[b]);
        return Neck(x);
    }

    private double[,][] Block(double[,][] x, string name, int window)
    {
        int grid = layout.Grid, padded = (grid + window - 1) / window * window;
        double[,][] attended = new double[grid, grid][];
        for (int wy = 0; wy < padded; wy += window)
        {
            for (int wx = 0; wx < padded; wx += window)
            {
                double[][] tokens = new double[window * window][];
                for (int t = 0; t < tokens.Length; t++)
                {
                    int y = wy + t / window, k = wx + t % window;
                    tokens[t] = y < grid && k < grid ? Norm(x[y, k], name + "norm1") : new double[layout.Channels];
                }

                double[][] result = Attention(tokens, name + "attn.", window);
                for (int t = 0; t < tokens.Length; t++)
                {
                    int y = wy + t / window, k = wx + t % window;
                    if (y < grid && k < grid) attended[y, k] = result[t];
                }
            }
        }

        double[,][] output = new double[grid, grid][];
        for (int y = 0; y < grid; y++)
        {
            for (int k = 0; k < grid; k++)
            {
                double[] sum = Sum(x[y, k], attended[y, k]);
                double[] hidden = Linear(Norm(sum, name + "norm2"), name + "mlp.lin1");
                for (int i = 0; i < hidden.Length; i++) hidden[i] = PlainMath.Gelu(hidden[i]);
                output[y, k] = Sum(sum, Linear(hidden, name + "mlp.lin2"));
            }
        }

        return output;
    }

    private double[][] Attention(double[][] tokens, string name, int window)
    {
        int c = layout.Channels, perHead = layout.HeadChannels;
        float[] rows = Read(name + "rel_pos_h"), columns = Read(name + "rel_pos_w");
        double[][] qkv = [.. tokens.Select(t => Linear(t, name + "qkv"))];
        double[][] result = [.. tokens.Select(_ => new double[c])];
        for (int head = 0; head < layout.Heads; head++)
        {
            int at = head * perHead;
            for (int q = 0; q < tokens.Length; q++)
            {
                double[] scores = new double[tokens.Length];
                for (int k = 0; k < tokens.Length; k++)
                {
                    double product = 0, relative = 0;
                    for (int i = 0; i < perHead; i++)
                    {
                        product += qkv[q][at + i] * qkv[k][c + at + i];
                        relative += qkv[q][at + i] * rows[(q / window - k / window + window - 1) * perHead + i];
                        relative += qkv[q][at + i] * columns[(q % window - k % window + window - 1) * perHead + i];
                    }

                    scores[k] = product / Math.Sqrt(perHead) + relative;
                }

                double largest = scores.Max();
                double total = scores.Sum(s => Math.Exp(s - largest));
                for (int k = 0; k < tokens.Length; k++)
                {
                    double share = Math.Exp(scores[k] - largest) / total;
                    for (int i = 0; i < perHead; i++) result[q][at + i] += share * qkv[k][2 * c + at + i];
                }
            }
        }

        return [.. result.Select(t => Linear(t, name + "proj"))];
    }

    private double[] Neck(double[,][] x)
    {
        int grid = layout.Grid, c = layout.OutputChannels;
        float[] first = Read("neck.0.weight"), second = Read("neck.2.weight");
        double[,][] reduced = new double[grid, grid][];
        for (int y = 0; y < grid; y++)
        {
            for (int k = 0; k < grid; k++)
            {
                double[] sums = new double[c];
                for (int o = 0; o < c; o++)
                {
                    for (int i = 0; i < layout.Channels; i++) sums[o] += first[o * layout.Channels + i] * x[y, k][i];
                }

                reduced[y, k] = Norm(sums, "neck.1");
            }
        }

        double[] embedding = new double[c * grid * grid];
        for (int y = 0; y < grid; y++)
        {
            for (int k = 0; k < grid; k++)
            {
                double[] sums = new double[c];
                for (int dy = -1; dy <= 1; dy++)
                {
                    for (int dx = -1; dx <= 1; dx++)
                    {
                        if (y + dy < 0 || y + dy >= grid || k + dx < 0 || k + dx >= grid) continue;
                        for (int o = 0; o < c; o++)
                        {
                            for (int i = 0; i < c; i++) sums[o] += second[((o * c + i) * 3 + dy + 1) * 3 + dx + 1] * reduced[y + dy, k + dx][i];
                        }
                    }
                }

                double[] normal = Norm(sums, "neck.3");
                for (int o = 0; o < c; o++) embedding[(o * grid + y) * grid + k] = normal[o];
            }
        }

        return embedding;
    }

    private double[] Norm(double[] x, string name) => PlainMath.Norm(x, Read(name + ".weight"), Read(name + ".bias"), 1e-6);

    private double[] Linear(double[] x, string name) => PlainMath.Linear(x, Read(name + ".weight"), Read(name + ".bias"));

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private float[] Read(string name) => weights.ReadAny(Prefix + name);
}
