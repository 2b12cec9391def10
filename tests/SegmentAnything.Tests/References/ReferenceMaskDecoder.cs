using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

namespace SegmentAnything.Tests.References;

/// <summary>
/// SAM's mask decoder in double precision, step by step as the published modules state it (transformer, mask decoder and
/// positional encoding), with no regard to speed: the truth that the engines are compared with.
/// </summary>
internal sealed class ReferenceMaskDecoder
{
    private readonly int _heads;
    private readonly int _masks;
    private readonly Dictionary<string, double[]> _weights;
    private readonly int _channels;
    private readonly int _iouDepth;

    public ReferenceMaskDecoder(StateDict weights, int heads = 8)
    {
        _heads = heads;
        _masks = weights.ShapeOf("mask_decoder.mask_tokens.weight")[0];
        _weights = weights.Tensors.Keys.ToDictionary(name => name, name => Array.ConvertAll(weights.ReadAny(name), v => (double)v));
        _channels = weights.ShapeOf("mask_decoder.iou_token.weight")[1];
        while (weights.Contains($"mask_decoder.iou_prediction_head.layers.{_iouDepth}.weight")) _iouDepth++;
    }

    /// <summary>Decodes one prompt: the logits of all masks (masks x 4G x 4G) and their predicted IoUs.</summary>
    public (double[] Logits, double[] Iou) Decode(float[] imageEmbedding, float[] dense, float[] tokens)
    {
        int positions = imageEmbedding.Length / _channels;
        int grid = (int)Math.Sqrt(positions);
        Matrix keys = new(positions, _channels);
        for (int c = 0; c < _channels; c++)
        {
            for (int p = 0; p < positions; p++)
                keys[p, c] = (double)imageEmbedding[(c * positions) + p] + dense[dense.Length == _channels ? c : (c * positions) + p];
        }

        Matrix keyPe = PositionalEncoding(grid);
        Matrix tokenPe = new(
            1 + _masks + (tokens.Length / _channels),
            [.. _weights["mask_decoder.iou_token.weight"], .. _weights["mask_decoder.mask_tokens.weight"], .. tokens.Select(v => (double)v)]);

        Matrix queries = tokenPe;
        for (int layer = 0; layer < 2; layer++)
        {
            string prefix = $"mask_decoder.transformer.layers.{layer}.";
            if (layer == 0)
            {
                queries = Attention(prefix + "self_attn.", queries, queries, queries);
            }
            else
            {
                Matrix withPe = queries + tokenPe;
                queries += Attention(prefix + "self_attn.", withPe, withPe, queries);
            }

            queries = Norm(prefix + "norm1.", queries, 1e-5);
            queries += Attention(prefix + "cross_attn_token_to_image.", queries + tokenPe, keys + keyPe, keys);
            queries = Norm(prefix + "norm2.", queries, 1e-5);
            Matrix hidden = Linear(prefix + "mlp.lin1.", queries).Apply(v => Math.Max(v, 0));
            queries += Linear(prefix + "mlp.lin2.", hidden);
            queries = Norm(prefix + "norm3.", queries, 1e-5);
            keys += Attention(prefix + "cross_attn_image_to_token.", keys + keyPe, queries + tokenPe, queries);
            keys = Norm(prefix + "norm4.", keys, 1e-5);
        }

        const string Final = "mask_decoder.transformer.final_attn_token_to_image.";
        queries += Attention(Final, queries + tokenPe, keys + keyPe, keys);
        queries = Norm("mask_decoder.transformer.norm_final_attn.", queries, 1e-5);

        Matrix upscaled = TransposedConvolution("mask_decoder.output_upscaling.0.", keys, grid);
        upscaled = Norm("mask_decoder.output_upscaling.1.", upscaled, 1e-6).Apply(Gelu);
        upscaled = TransposedConvolution("mask_decoder.output_upscaling.3.", upscaled, 2 * grid).Apply(Gelu);

        double[] logits = new double[_masks * 16 * positions];
        for (int mask = 0; mask < _masks; mask++)
        {
            Matrix hyper = Mlp($"mask_decoder.output_hypernetworks_mlps.{mask}.layers.", 3, queries.Row(1 + mask));
            for (int p = 0; p < 16 * positions; p++)
            {
                double sum = 0;
                for (int c = 0; c < upscaled.Columns; c++) sum += hyper[0, c] * upscaled[p, c];
                logits[(mask * 16 * positions) + p] = sum;
            }
        }

        Matrix iou = Mlp("mask_decoder.iou_prediction_head.layers.", _iouDepth, queries.Row(0));
        return (logits, iou.Values);
    }

    /// <summary>The error function by its Maclaurin series, or by its continued fraction where that converges faster.</summary>
    public static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (a > 6) return Math.Sign(x);
        if (a < 3)
        {
            double term = a, sum = a;
            for (int n = 1; Math.Abs(term) > 1e-18; n++)
            {
                term *= -a * a / n;
                sum += term / ((2 * n) + 1);
            }

            return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * sum;
        }

        double fraction = 0;
        for (int n = 60; n > 0; n--) fraction = n / 2.0 / (a + fraction);
        return Math.Sign(x) * (1 - (Math.Exp(-a * a) / Math.Sqrt(Math.PI) / (a + fraction)));
    }

    public static double Gelu(double x) => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)));

    private Matrix PositionalEncoding(int grid)
    {
        double[] gaussian = _weights["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"];
        int half = _channels / 2;
        Matrix result = new(grid * grid, _channels);
        for (int p = 0; p < grid * grid; p++)
        {
            double x = (2 * ((p % grid) + 0.5) / grid) - 1;
            double y = (2 * ((p / grid) + 0.5) / grid) - 1;
            for (int c = 0; c < half; c++)
            {
                double angle = 2 * Math.PI * ((x * gaussian[c]) + (y * gaussian[half + c]));
                result[p, c] = Math.Sin(angle);
                result[p, half + c] = Math.Cos(angle);
            }
        }

        return result;
    }

    private Matrix Attention(string name, Matrix queries, Matrix keys, Matrix values)
    {
        Matrix q = Linear(name + "q_proj.", queries);
        Matrix k = Linear(name + "k_proj.", keys);
        Matrix v = Linear(name + "v_proj.", values);
        int width = q.Columns / _heads;
        Matrix result = new(q.Rows, q.Columns);
        double[] scores = new double[k.Rows];
        for (int row = 0; row < q.Rows; row++)
        {
            for (int first = 0; first < q.Columns; first += width)
            {
                for (int key = 0; key < k.Rows; key++)
                {
                    double dot = 0;
                    for (int c = first; c < first + width; c++) dot += q[row, c] * k[key, c];
                    scores[key] = dot / Math.Sqrt(width);
                }

                double max = scores.Max(), sum = 0;
                for (int key = 0; key < k.Rows; key++) sum += scores[key] = Math.Exp(scores[key] - max);
                for (int key = 0; key < k.Rows; key++)
                {
                    for (int c = first; c < first + width; c++) result[row, c] += scores[key] / sum * v[key, c];
                }
            }
        }

        return Linear(name + "out_proj.", result);
    }

    private Matrix Mlp(string name, int depth, Matrix input)
    {
        for (int layer = 0; layer < depth; layer++)
        {
            input = Linear($"{name}{layer}.", input);
            if (layer < depth - 1) input = input.Apply(v => Math.Max(v, 0));
        }

        return input;
    }

    private Matrix Linear(string name, Matrix input)
    {
        double[] weight = _weights[name + "weight"], bias = _weights[name + "bias"];
        Matrix result = new(input.Rows, bias.Length);
        for (int row = 0; row < input.Rows; row++)
        {
            for (int o = 0; o < bias.Length; o++)
            {
                double sum = bias[o];
                for (int i = 0; i < input.Columns; i++) sum += input[row, i] * weight[(o * input.Columns) + i];
                result[row, o] = sum;
            }
        }

        return result;
    }

    private Matrix Norm(string name, Matrix input, double epsilon)
    {
        double[] weight = _weights[name + "weight"], bias = _weights[name + "bias"];
        Matrix result = new(input.Rows, input.Columns);
        for (int row = 0; row < input.Rows; row++)
        {
            double mean = 0, variance = 0;
            for (int c = 0; c < input.Columns; c++) mean += input[row, c] / input.Columns;
            for (int c = 0; c < input.Columns; c++) variance += Math.Pow(input[row, c] - mean, 2) / input.Columns;
            for (int c = 0; c < input.Columns; c++)
                result[row, c] = ((input[row, c] - mean) / Math.Sqrt(variance + epsilon) * weight[c]) + bias[c];
        }

        return result;
    }

    // 2x2, stride 2. Rows are positions of a grid x grid picture; the result's rows are those of the picture twice as large.
    private Matrix TransposedConvolution(string name, Matrix input, int grid)
    {
        double[] weight = _weights[name + "weight"], bias = _weights[name + "bias"];
        Matrix result = new(4 * input.Rows, bias.Length);
        for (int p = 0; p < 4 * input.Rows; p++)
        {
            int y = p / (2 * grid), x = p % (2 * grid);
            int source = (y / 2 * grid) + (x / 2);
            for (int o = 0; o < bias.Length; o++)
            {
                double sum = bias[o];
                for (int i = 0; i < input.Columns; i++)
                    sum += input[source, i] * weight[(((i * bias.Length) + o) * 4) + (y % 2 * 2) + (x % 2)];
                result[p, o] = sum;
            }
        }

        return result;
    }

    private sealed class Matrix(int rows, double[] values)
    {
        public Matrix(int rows, int columns) : this(rows, new double[rows * columns])
        {
        }

        public int Rows => rows;

        public int Columns { get; } = values.Length / rows;

        public double[] Values => values;

        public double this[int row, int column]
        {
            get => values[(row * Columns) + column];
            set => values[(row * Columns) + column] = value;
        }

        public static Matrix operator +(Matrix left, Matrix right) => new(left.Rows, [.. left.Values.Zip(right.Values, (l, r) => l + r)]);

        public Matrix Apply(Func<double, double> function) => new(rows, [.. values.Select(function)]);

        public Matrix Row(int row) => new(1, values[(row * Columns)..((row + 1) * Columns)]);
    }
}
