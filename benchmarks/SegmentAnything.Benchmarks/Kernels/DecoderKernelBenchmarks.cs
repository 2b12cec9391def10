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
    private const int Channels = 256, Tile = DecoderKernels.TileTokens, Heads = 8, Tokens = 7, HeadChannels = 16, Coordinates = Heads * Tokens;
    // Coordinates of both layers, and two deviations.
    private const int UpscaleSteps = (2 * Coordinates) + 2;
    // Columns filled up to whole vectors of 16.
    private const int SumStride = 64;
    private const int NormChannels = 64, Subpixels = 4, SubpixelChannels = 32, Masks = 3, HyperStride = 4;

    private readonly NativeFloats _weights = Random(Channels * UpscaleSteps, 1);
    private readonly NativeFloats _tile = Random(Channels * Tile, 2);
    private readonly NativeFloats _powers = Random(Tile * SumStride, 4);
    private readonly NativeFloats _hyper = Random(SubpixelChannels * HyperStride, 5);
    private readonly NativeFloats _ones = Random(Tile, 6);
    private readonly NativeFloats _output = Random(Channels * SumStride, 7);
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
        new Span<float>(_ones.Pointer, Tile).Fill(1);
        // Columns of padding are zero.
        for (int i = 0; i < Tile; i++) new Span<float>(_powers.Pointer + (i * SumStride) + Coordinates, SumStride - Coordinates).Clear();
        foreach (Action work in (Action[])[Upscale, SecondUpscale, HeadScores, CoordinateSums, LayerNormGelu, Softmax, GeluMasks])
        {
            float[] found = Result(work);
            Kernels chosen = _kernels;
            _kernels = new PlainKernels();
            float[] expected = Result(work);
            _kernels = chosen;
            float difference = TensorPrimitives.Distance<float>(found, expected);
            if (!(difference < 1e-3f)) throw new InvalidOperationException($"{work.Method.Name} differs from the plain loop by {difference}.");
        }

        // LayerNormGelu works in place; others may leave columns of padding as they are.
        float[] Result(Action work)
        {
            Span<float> output = new(_output.Pointer, (int)_output.Length);
            output.Clear();
            if (work.Method.Name == nameof(LayerNormGelu)) new ReadOnlySpan<float>(_tile.Pointer, NormChannels * Tile).CopyTo(output);
            work();
            return output.ToArray();
        }
    }

    /// <summary>The first transposed convolution from coordinates: 256 x 114 · 114 x 48, added to the image's part.</summary>
    [Benchmark]
    [Work(MultiplyAdds = Channels * UpscaleSteps * Tile, Pixels = Channels * Tile)]
    public void Upscale() => _kernels.Upscale(_weights.Pointer, _tile.Pointer, _output.Pointer);

    /// <summary>The second, of one sub-pixel: 128 x 64 · 64 x 48.</summary>
    [Benchmark]
    [Work(MultiplyAdds = Channels / 2 * NormChannels * Tile, Pixels = Channels / 2 * Tile)]
    public void SecondUpscale() => _kernels.SecondUpscale(_weights.Pointer, _tile.Pointer, _output.Pointer);

    /// <summary>Scores of eight heads of 16 channels with 7 tokens each.</summary>
    [Benchmark]
    [Work(MultiplyAdds = Coordinates * HeadChannels * Tile, Pixels = Coordinates * Tile)]
    public void HeadScores() => _kernels.HeadScores(_weights.Pointer, _tile.Pointer, _output.Pointer);

    /// <summary>What a tile adds to the sums of coordinates: 56 x 48 · 48 x 56.</summary>
    [Benchmark]
    [Work(MultiplyAdds = Coordinates * Tile * Coordinates, Pixels = Coordinates * Coordinates)]
    public void CoordinateSums() => _kernels.CoordinateSums(_tile.Pointer, _powers.Pointer, _output.Pointer);

    [Benchmark]
    [Work(Pixels = NormChannels * Tile)]
    public void LayerNormGelu() => _kernels.LayerNormGelu(_output.Pointer, _weights.Pointer, _ones.Pointer);

    [Benchmark]
    [Work(Pixels = Coordinates * Tile)]
    public void Softmax() => _kernels.Softmax(_tile.Pointer, _ones.Pointer, _output.Pointer);

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
        public abstract void Upscale(float* weights, float* tile, float* output);

        public abstract void SecondUpscale(float* weights, float* tile, float* output);

        public abstract void HeadScores(float* panels, float* tile, float* output);

        public abstract void CoordinateSums(float* tile, float* powers, float* output);

        public abstract void LayerNormGelu(float* tile, float* weights, float* epsilon);

        public abstract void Softmax(float* scores, float* ones, float* output);

        public abstract void GeluMasks(float* tile, float* hyper, float* output);
    }

    private sealed class VectorKernels<TSimd, TVector> : Kernels
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        private static readonly NativeFloats GeluTable = AlignedGeluTable();

        public override void Upscale(float* weights, float* tile, float* output) =>
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromMatrix>(
                weights, UpscaleSteps * DecoderKernels.BlockRows, tile, Tile, UpscaleSteps, tile, Tile, output, Tile, Channels, Tile);

        public override void SecondUpscale(float* weights, float* tile, float* output) =>
            DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                weights, NormChannels * DecoderKernels.BlockRows, tile, Tile, NormChannels, null, 0, output, Tile, Channels / 2, Tile);

        public override void HeadScores(float* panels, float* tile, float* output)
        {
            for (int head = 0; head < Heads; head++)
            {
                DecoderKernels.Product<TSimd, TVector, PanelLayout, FromZero>(
                    panels + (head * DecoderKernels.BlockRows * HeadChannels), HeadChannels * DecoderKernels.BlockRows,
                    tile + (head * HeadChannels * Tile), Tile, HeadChannels, null, 0, output + (head * Tokens * Tile), Tile, DecoderKernels.BlockRows, Tile);
            }
        }

        public override void CoordinateSums(float* tile, float* powers, float* output) =>
            DecoderKernels.Product<TSimd, TVector, ChannelsAsRows, FromZero>(
                tile, DecoderKernels.BlockRows * Tile, powers, SumStride, Tile, null, 0, output, SumStride, Coordinates, DecoderMath.RoundUp(Coordinates, TSimd.Width));

        public override void LayerNormGelu(float* tile, float* weights, float* epsilon) =>
            DecoderKernels.LayerNormGeluTile<TSimd, TVector>(tile, NormChannels, weights, weights + NormChannels, epsilon, GeluTable.Pointer);

        public override void Softmax(float* scores, float* ones, float* output) =>
            DecoderKernels.SoftmaxHeads<TSimd, TVector>(scores, Heads, Tokens, ones, ones, 0, output);

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
        public override void Upscale(float* weights, float* tile, float* output)
        {
            Product(weights, Channels, UpscaleSteps, tile, output);
            for (int i = 0; i < Channels * Tile; i++) output[i] += tile[i];
        }

        public override void SecondUpscale(float* weights, float* tile, float* output) => Product(weights, Channels / 2, NormChannels, tile, output);

        // The row that fills a head's block is the next head's first, or the one behind the last.
        public override void HeadScores(float* panels, float* tile, float* output)
        {
            for (int head = 0; head < Heads; head++)
            {
                Product(
                    panels + (head * DecoderKernels.BlockRows * HeadChannels), DecoderKernels.BlockRows, HeadChannels,
                    tile + (head * HeadChannels * Tile), output + (head * Tokens * Tile));
            }
        }

        public override void CoordinateSums(float* tile, float* powers, float* output)
        {
            for (int row = 0; row < Coordinates; row++)
            {
                for (int column = 0; column < SumStride; column++)
                {
                    float sum = 0;
                    for (int i = 0; i < Tile; i++) sum += tile[(row * Tile) + i] * powers[(i * SumStride) + column];
                    output[(row * SumStride) + column] = sum;
                }
            }
        }

        public override void LayerNormGelu(float* tile, float* weights, float* epsilon)
        {
            for (int token = 0; token < Tile; token++)
            {
                float mean = 0, variance = 0;
                for (int c = 0; c < NormChannels; c++) mean += tile[(c * Tile) + token] / NormChannels;
                for (int c = 0; c < NormChannels; c++) variance += MathF.Pow(tile[(c * Tile) + token] - mean, 2) / NormChannels;
                float scale = 1 / MathF.Sqrt(variance + epsilon[token]);
                for (int c = 0; c < NormChannels; c++)
                {
                    int at = (c * Tile) + token;
                    tile[at] = Gelu(((tile[at] - mean) * scale * weights[c]) + weights[NormChannels + c]);
                }
            }
        }

        public override void Softmax(float* scores, float* ones, float* output)
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

        private static void Product(float* weights, int rows, int steps, float* tile, float* output)
        {
            for (int row = 0; row < rows; row++)
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
