using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using BenchmarkDotNet.Attributes;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Decoding;
using SegmentAnything.Kernels;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>The tiled decoder's kernels, each alone, on one thread, at the shapes of a one-point prompt: docs/decoder.md.</summary>
/// <remarks>"Vectors" are the floats of a vector; 1 is the plain loop that defines what the kernel computes.</remarks>
public unsafe class DecoderKernelBenchmarks
{
    private const int Channels = 256, Tile = DecoderKernels.TileTokens, Heads = 8, Tokens = 7, Columns = Heads * Tokens;
    // Columns filled up to whole vectors of 16.
    private const int KeyStride = 64;
    private const int Subpixels = 4, SubpixelChannels = 32, Masks = 3, HyperStride = 4;

    private readonly NativeFloats _weights = Random(Channels * Channels, 1);
    private readonly NativeFloats _tile = Random(Channels * Tile, 2);
    private readonly NativeFloats _encoding = Random(Channels * Tile, 3);
    private readonly NativeFloats _keys = Random(Channels * KeyStride, 4);
    private readonly NativeFloats _hyper = Random(SubpixelChannels * HyperStride, 5);
    private readonly NativeFloats _output = Random(Channels * KeyStride, 6);
    private readonly NativeFloats _second = Random(Channels * KeyStride, 7);
    private Kernels _kernels = new PlainKernels();

    public static IEnumerable<int> Widths => new[] { 1, 4, 8, 16 }.Where(w => w <= FmaPeak.WidestVector);

    [ParamsSource(nameof(Widths))]
    public int Vectors { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _kernels = Vectors switch
        {
            1 => new PlainKernels(),
            4 => new VectorKernels<Simd128, Vector128<float>>(),
            8 => new VectorKernels<Simd256, Vector256<float>>(),
            _ => new VectorKernels<Simd512, Vector512<float>>(),
        };
        // Columns of padding are zero.
        for (int k = 0; k < Channels; k++) new Span<float>(_keys.Pointer + (k * KeyStride) + Columns, KeyStride - Columns).Clear();
        foreach (Action work in (Action[])[Project, Scores, Receive, LayerNorm, Softmax, GeluMasks])
        {
            Span<float> output = new(_output.Pointer, (int)_output.Length);
            output.Clear();
            work();
            float[] found = output.ToArray();
            output.Clear();
            Kernels chosen = _kernels;
            _kernels = new PlainKernels();
            work();
            _kernels = chosen;
            float difference = TensorPrimitives.Distance(found, output);
            if (!(difference < 1e-3f)) throw new InvalidOperationException($"{work.Method.Name} differs from the plain loop by {difference}.");
        }
    }

    /// <summary>A tile times weights: 256 x 256 · 256 x 48.</summary>
    [Benchmark]
    [Work(MultiplyAdds = Channels * Channels * Tile, Pixels = Channels * Tile)]
    public void Project() => _kernels.Project(_weights.Pointer, _tile.Pointer, _output.Pointer);

    /// <summary>Every image token's scores with the prompt's tokens: 48 x 256 · 256 x 56, or 64 with vectors of 16.</summary>
    [Benchmark]
    [Work(MultiplyAdds = Channels * Tile * Columns, Pixels = Tile * Columns)]
    public void Scores() => _kernels.Scores(_tile.Pointer, _keys.Pointer, _output.Pointer);

    /// <summary>What the image receives of the prompt's tokens: 256 x 56 · 56 x 48.</summary>
    [Benchmark]
    [Work(MultiplyAdds = Channels * Tile * Columns, Pixels = Channels * Tile)]
    public void Receive() => _kernels.Receive(_weights.Pointer, _tile.Pointer, _output.Pointer);

    [Benchmark]
    [Work(Pixels = Channels * Tile)]
    public void LayerNorm() => _kernels.LayerNorm(_tile.Pointer, _weights.Pointer, _encoding.Pointer, _output.Pointer, _second.Pointer);

    [Benchmark]
    [Work(Pixels = Heads * Tokens * Tile)]
    public void Softmax() => _kernels.Softmax(_tile.Pointer, _output.Pointer);

    [Benchmark]
    [Work(MultiplyAdds = Subpixels * SubpixelChannels * Tile * Masks, Pixels = Subpixels * SubpixelChannels * Tile)]
    public void GeluMasks() => _kernels.GeluMasks(_tile.Pointer, _hyper.Pointer, _output.Pointer);

    private static NativeFloats Random(int count, int seed)
    {
        NativeFloats values = new(count);
        Random random = new(seed);
        for (int i = 0; i < count; i++) values.Pointer[i] = (random.NextSingle() - 0.5f) / 4;
        return values;
    }

    private abstract class Kernels
    {
        public abstract void Project(float* weights, float* tile, float* output);

        public abstract void Scores(float* tile, float* keys, float* output);

        public abstract void Receive(float* weights, float* tile, float* output);

        public abstract void LayerNorm(float* tile, float* weights, float* encoding, float* output, float* encoded);

        public abstract void Softmax(float* scores, float* output);

        public abstract void GeluMasks(float* tile, float* hyper, float* output);
    }

    private sealed class VectorKernels<TSimd, TVector> : Kernels
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        private static readonly NativeFloats GeluTable = AlignedGeluTable();

        private static int PaddedColumns => DecoderMath.RoundUp(Columns, TSimd.Width);

        public override void Project(float* weights, float* tile, float* output) =>
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                weights, Channels * DecoderKernels.BlockRows, tile, Tile, Channels, null, 0, output, Tile, Channels, Tile);

        public override void Scores(float* tile, float* keys, float* output) =>
            DecoderKernels.Product<TSimd, TVector, TokensAsRows, FromZero>(
                tile, DecoderKernels.BlockRows, keys, KeyStride, Channels, null, 0, output, KeyStride, Tile, PaddedColumns);

        public override void Receive(float* weights, float* tile, float* output) =>
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                weights, Columns * DecoderKernels.BlockRows, tile, Tile, Columns, null, 0, output, Tile, Channels, Tile);

        public override void LayerNorm(float* tile, float* weights, float* encoding, float* output, float* encoded) =>
            throw new NotSupportedException();

        public override void Softmax(float* scores, float* output) =>
            DecoderKernels.SoftmaxHeads<TSimd, TVector>(scores, Heads, Tokens, scores, scores, output);

        public override void GeluMasks(float* tile, float* hyper, float* output) =>
            DecoderKernels.GeluMaskProduct<TSimd, TVector>(tile, Subpixels, SubpixelChannels, hyper, Masks, GeluTable.Pointer, output, Subpixels * Tile);
    }

    private static NativeFloats AlignedGeluTable()
    {
        NativeFloats table = new(DecoderKernels.GeluTable.Length);
        DecoderKernels.GeluTable.CopyTo(new Span<float>(table.Pointer, (int)table.Length));
        return table;
    }

    // Weights lie in panels of eight rows: row r, step k of steps is at (r / 8 * steps + k) * 8 + r % 8.
    private sealed class PlainKernels : Kernels
    {
        public override void Project(float* weights, float* tile, float* output) => Product(weights, Channels, tile, output);

        public override void Scores(float* tile, float* keys, float* output)
        {
            for (int token = 0; token < Tile; token++)
            {
                for (int column = 0; column < Columns; column++)
                {
                    float sum = 0;
                    for (int k = 0; k < Channels; k++) sum += tile[(k * Tile) + token] * keys[(k * KeyStride) + column];
                    output[(token * KeyStride) + column] = sum;
                }
            }
        }

        public override void Receive(float* weights, float* tile, float* output) => Product(weights, Columns, tile, output);

        public override void LayerNorm(float* tile, float* weights, float* encoding, float* output, float* encoded)
        {
            for (int token = 0; token < Tile; token++)
            {
                float mean = 0, variance = 0;
                for (int c = 0; c < Channels; c++) mean += tile[(c * Tile) + token] / Channels;
                for (int c = 0; c < Channels; c++) variance += MathF.Pow(tile[(c * Tile) + token] - mean, 2) / Channels;
                float scale = 1 / MathF.Sqrt(variance + 1e-5f);
                for (int c = 0; c < Channels; c++)
                {
                    int at = (c * Tile) + token;
                    output[at] = ((tile[at] - mean) * scale * weights[c]) + weights[Channels + c];
                    encoded[at] = output[at] + encoding[at];
                }
            }
        }

        public override void Softmax(float* scores, float* output)
        {
            for (int head = 0; head < Heads; head++)
            {
                for (int token = 0; token < Tile; token++)
                {
                    float sum = 0;
                    for (int t = 0; t < Tokens; t++) sum += MathF.Exp(scores[(((head * Tokens) + t) * Tile) + token] * MathF.Log(2));
                    for (int t = 0; t < Tokens; t++)
                    {
                        int at = (((head * Tokens) + t) * Tile) + token;
                        output[at] = MathF.Exp(scores[at] * MathF.Log(2)) / sum;
                    }
                }
            }
        }

        public override void GeluMasks(float* tile, float* hyper, float* output)
        {
            for (int subpixel = 0; subpixel < Subpixels; subpixel++)
            {
                for (int token = 0; token < Tile; token++)
                {
                    for (int m = 0; m < Masks; m++) output[(((m * Subpixels) + subpixel) * Tile) + token] = 0;
                    for (int c = 0; c < SubpixelChannels; c++)
                    {
                        float value = Gelu(tile[(((subpixel * SubpixelChannels) + c) * Tile) + token]);
                        for (int m = 0; m < Masks; m++)
                            output[(((m * Subpixels) + subpixel) * Tile) + token] += value * hyper[(c * HyperStride) + m];
                    }
                }
            }
        }

        private static void Product(float* weights, int steps, float* tile, float* output)
        {
            for (int row = 0; row < Channels; row++)
            {
                for (int token = 0; token < Tile; token++)
                {
                    float sum = 0;
                    for (int k = 0; k < steps; k++) sum += weights[(((row / 8 * steps) + k) * 8) + (row % 8)] * tile[(k * Tile) + token];
                    output[(row * Tile) + token] = sum;
                }
            }
        }

        // x/2 * (1 + erf(x / sqrt 2)) by the series of erf, which converges fast for values as small as these.
        private static float Gelu(float x)
        {
            double z = x / Math.Sqrt(2), term = z, sum = z;
            for (int n = 1; n < 12; n++)
            {
                term *= -z * z / n;
                sum += term / ((2 * n) + 1);
            }

            return (float)(x / 2 * (1 + (2 / Math.Sqrt(Math.PI) * sum)));
        }
    }
}
