using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Tests.Graphs;

namespace SegmentAnything.Tests.Families.Sam1;

/// <summary>
/// MobileSAM's encoder in plain loops and double precision, as the official code orders its steps: batch normalisation
/// apart, windows padded before they are normalised. Only for small models.
/// </summary>
internal sealed class PlainTinyVit(StateDict weights, TinyVitLayout layout)
{
    private const string Prefix = TinyVitLayout.Prefix;

    /// <summary>Random weights of a layout, with batch normalisations that do something.</summary>
    public static InMemoryStateDict RandomWeights(TinyVitLayout layout, int seed)
    {
        var random = new Random(seed);
        Dictionary<string, (int[] Shape, float[] Values)> tensors = [];
        int first = layout.Stages[0].Channels, last = layout.Stages[^1].Channels, output = layout.OutputChannels;
        Convolution("patch_embed.seq.0", layout.StemChannels, 3, 3);
        Convolution("patch_embed.seq.2", first, layout.StemChannels, 3);
        for (int s = 0; s < layout.Stages.Length; s++)
        {
            TinyVitStage stage = layout.Stages[s];
            for (int b = 0; b < stage.Depth; b++)
            {
                string name = $"layers.{s}.blocks.{b}.";
                if (s == 0)
                {
                    Convolution(name + "conv1", stage.Hidden, first, 1);
                    Convolution(name + "conv2", stage.Hidden, 1, 3);
                    Convolution(name + "conv3", first, stage.Hidden, 1);
                    continue;
                }

                Norm(name + "attn.norm", stage.Channels);
                Linear(name + "attn.qkv", 3 * stage.Channels, stage.Channels);
                Linear(name + "attn.proj", stage.Channels, stage.Channels);
                Add(name + "attn.attention_biases", 1, 0, stage.Heads, stage.Window * stage.Window);
                Convolution(name + "local_conv", stage.Channels, 1, 3);
                Norm(name + "mlp.norm", stage.Channels);
                Linear(name + "mlp.fc1", stage.Hidden, stage.Channels);
                Linear(name + "mlp.fc2", stage.Channels, stage.Hidden);
            }

            if (stage.Stride == 0) continue;
            int next = layout.Stages[s + 1].Channels;
            Convolution($"layers.{s}.downsample.conv1", next, stage.Channels, 1);
            Convolution($"layers.{s}.downsample.conv2", next, 1, 3);
            Convolution($"layers.{s}.downsample.conv3", next, next, 1);
        }

        Add("neck.0.weight", 1 / MathF.Sqrt(last), 0, output, last, 1, 1);
        Norm("neck.1", output);
        Add("neck.2.weight", 1 / MathF.Sqrt(9 * output), 0, output, output, 3, 3);
        Norm("neck.3", output);
        return new InMemoryStateDict("random weights", tensors);

        void Convolution(string name, int outputs, int inputs, int kernel)
        {
            Add(name + ".c.weight", 1.5f / MathF.Sqrt(inputs * kernel * kernel), 0, outputs, inputs, kernel, kernel);
            Add(name + ".bn.weight", 0.3f, 1, outputs);
            Add(name + ".bn.bias", 0.3f, 0, outputs);
            Add(name + ".bn.running_mean", 0.3f, 0, outputs);
            Add(name + ".bn.running_var", 0.3f, 1, outputs);
        }

        void Linear(string name, int outputs, int inputs)
        {
            Add(name + ".weight", 1 / MathF.Sqrt(inputs), 0, outputs, inputs);
            Add(name + ".bias", 0.3f, 0, outputs);
        }

        void Norm(string name, int length)
        {
            Add(name + ".weight", 0.3f, 1, length);
            Add(name + ".bias", 0.3f, 0, length);
        }

        void Add(string name, float scale, float middle, params int[] shape)
        {
            float[] values = new float[shape.Aggregate(1, (a, b) => a * b)];
            for (int i = 0; i < values.Length; i++) values[i] = middle + scale * (2 * random.NextSingle() - 1);
            tensors[Prefix + name] = (shape, values);
        }
    }

    /// <summary>A picture: channels x side x side.</summary>
    private sealed record Planes(int Channels, int Side, double[] Values)
    {
        public double At(int c, int y, int x) => y < 0 || x < 0 || y >= Side || x >= Side ? 0 : Values[(c * Side + y) * Side + x];

        public Planes Map(Func<double, double> f) => this with { Values = [.. Values.Select(f)] };

        public Planes Plus(Planes other) => this with { Values = [.. Values.Zip(other.Values, (a, b) => a + b)] };

        public double[] Token(int y, int x) => [.. Enumerable.Range(0, Channels).Select(c => At(c, y, x))];
    }

    /// <summary>(3, S, S) to (C, G, G).</summary>
    public double[] Encode(float[] image)
    {
        Planes x = new(3, layout.ImageSize, [.. image.Select(v => (double)v)]);
        x = Normalized(x, "patch_embed.seq.0", 2).Map(PlainMath.Gelu);
        x = Normalized(x, "patch_embed.seq.2", 2);
        for (int s = 0; s < layout.Stages.Length; s++)
        {
            TinyVitStage stage = layout.Stages[s];
            for (int b = 0; b < stage.Depth; b++) x = s == 0 ? ConvolutionBlock(x, $"layers.0.blocks.{b}.") : TokenBlock(x, $"layers.{s}.blocks.{b}.", stage);
            if (stage.Stride == 0) continue;
            x = Normalized(x, $"layers.{s}.downsample.conv1", 1).Map(PlainMath.Gelu);
            x = Normalized(x, $"layers.{s}.downsample.conv2", stage.Stride).Map(PlainMath.Gelu);
            x = Normalized(x, $"layers.{s}.downsample.conv3", 1);
        }

        x = EachToken(Convolve(x, "neck.0.weight", 1), t => Norm(t, "neck.1", 1e-6));
        return EachToken(Convolve(x, "neck.2.weight", 1), t => Norm(t, "neck.3", 1e-6)).Values;
    }

    private Planes ConvolutionBlock(Planes x, string name)
    {
        Planes inner = Normalized(x, name + "conv1", 1).Map(PlainMath.Gelu);
        inner = Normalized(inner, name + "conv2", 1).Map(PlainMath.Gelu);
        return Normalized(inner, name + "conv3", 1).Plus(x).Map(PlainMath.Gelu);
    }

    private Planes TokenBlock(Planes x, string name, TinyVitStage stage)
    {
        x = x.Plus(Attention(x, name + "attn.", stage));
        x = Normalized(x, name + "local_conv", 1);
        return x.Plus(EachToken(x, t =>
        {
            double[] hidden = [.. Linear(Norm(t, name + "mlp.norm", 1e-5), name + "mlp.fc1").Select(PlainMath.Gelu)];
            return Linear(hidden, name + "mlp.fc2");
        }));
    }

    private Planes Attention(Planes x, string name, TinyVitStage stage)
    {
        int window = stage.Window, perHead = stage.Channels / stage.Heads;
        float[] biases = Read(name + "attention_biases");
        Planes result = x with { Values = new double[x.Values.Length] };
        for (int wy = 0; wy < x.Side; wy += window)
        {
            for (int wx = 0; wx < x.Side; wx += window)
            {
                double[][] qkv = [.. Enumerable.Range(0, window * window).Select(t =>
                    Linear(Norm(x.Token(wy + t / window, wx + t % window), name + "norm", 1e-5), name + "qkv"))];
                for (int q = 0; q < qkv.Length; q++)
                {
                    if (wy + q / window >= x.Side || wx + q % window >= x.Side) continue;
                    double[] merged = new double[stage.Channels];
                    for (int h = 0; h < stage.Heads; h++)
                    {
                        int at = 3 * h * perHead;
                        double[] scores = [.. Enumerable.Range(0, qkv.Length).Select(k =>
                            Enumerable.Range(0, perHead).Sum(i => qkv[q][at + i] * qkv[k][at + perHead + i]) / Math.Sqrt(perHead)
                            + biases[h * window * window + Math.Abs(q / window - k / window) * window + Math.Abs(q % window - k % window)])];
                        double total = scores.Sum(Math.Exp);
                        for (int k = 0; k < qkv.Length; k++)
                        {
                            for (int i = 0; i < perHead; i++) merged[h * perHead + i] += Math.Exp(scores[k]) / total * qkv[k][at + 2 * perHead + i];
                        }
                    }

                    double[] projected = Linear(merged, name + "proj");
                    for (int c = 0; c < stage.Channels; c++) result.Values[(c * x.Side + wy + q / window) * x.Side + wx + q % window] = projected[c];
                }
            }
        }

        return result;
    }

    private Planes Normalized(Planes x, string name, int stride)
    {
        Planes y = Convolve(x, name + ".c.weight", stride);
        float[] scale = Read(name + ".bn.weight"), shift = Read(name + ".bn.bias");
        float[] mean = Read(name + ".bn.running_mean"), variance = Read(name + ".bn.running_var");
        int size = y.Side * y.Side;
        return y with { Values = [.. y.Values.Select((v, i) => (v - mean[i / size]) / Math.Sqrt(variance[i / size] + 1e-5) * scale[i / size] + shift[i / size])] };
    }

    // Kernel of 1 or 3, padded by half of it; one channel a group where the weight has one input.
    private Planes Convolve(Planes x, string name, int stride)
    {
        float[] weight = Read(name);
        var shape = weights.ShapeOf(Prefix + name);
        (int outputs, int inputs, int kernel) = (shape[0], shape[1], shape[2]);
        int side = x.Side / stride;
        double[] result = new double[outputs * side * side];
        for (int o = 0; o < outputs; o++)
        {
            for (int y = 0; y < side; y++)
            {
                for (int k = 0; k < side; k++)
                {
                    double sum = 0;
                    for (int i = 0; i < inputs; i++)
                    {
                        for (int dy = 0; dy < kernel; dy++)
                        {
                            for (int dx = 0; dx < kernel; dx++)
                            {
                                sum += weight[((o * inputs + i) * kernel + dy) * kernel + dx]
                                    * x.At(inputs == 1 ? o : i, y * stride + dy - kernel / 2, k * stride + dx - kernel / 2);
                            }
                        }
                    }

                    result[(o * side + y) * side + k] = sum;
                }
            }
        }

        return new Planes(outputs, side, result);
    }

    private static Planes EachToken(Planes x, Func<double[], double[]> f)
    {
        double[][] tokens = [.. from y in Enumerable.Range(0, x.Side) from k in Enumerable.Range(0, x.Side) select f(x.Token(y, k))];
        int channels = tokens[0].Length;
        return new Planes(channels, x.Side, [.. from c in Enumerable.Range(0, channels) from t in tokens select t[c]]);
    }

    private double[] Norm(double[] x, string name, double epsilon) => PlainMath.Norm(x, Read(name + ".weight"), Read(name + ".bias"), epsilon);

    private double[] Linear(double[] x, string name) => PlainMath.Linear(x, Read(name + ".weight"), Read(name + ".bias"));

    private float[] Read(string name) => weights.ReadAny(Prefix + name);
}
