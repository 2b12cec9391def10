using SegmentAnything.Checkpoints;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>The weights of a <see cref="MaskRefinement"/> in the layouts that the tiled passes read.</summary>
internal sealed unsafe class TiledRefinementWeights : PackedWeights
{
    private const int Taps = 9;

    private readonly float[] _last, _lastBias;
    private readonly int _maskChannels;

    /// <exception cref="CheckpointException">A tensor is missing, or its shape does not fit.</exception>
    public TiledRefinementWeights(StateDict source, MaskRefinement refinement, int maskChannels)
    {
        Channels = refinement.Channels;
        _maskChannels = maskChannels;
        string name = refinement.Convolutions;
        Products = Transform(source.Read(name + "0.weight", Channels, maskChannels, 3, 3), maskChannels);
        Bias = Pack(source.Read(name + "0.bias", Channels));
        Norm = ReadNorm(source, name + "1.", Channels);
        _last = source.Read(name + "3.weight", maskChannels, Channels, 3, 3);
        _lastBias = source.Read(name + "3.bias", maskChannels);
        Features = new Enlargement[refinement.Features.Length];
        float[] bias = new float[maskChannels];
        for (int i = 0; i < Features.Length; i++)
        {
            EnlargedFeature feature = refinement.Features[i];
            int inside = feature.InsideChannels;
            float[] second = source.Read(feature.Name + "3.bias", maskChannels);
            for (int c = 0; c < maskChannels; c++) bias[c] += second[c];
            Features[i] = new Enlargement
            {
                Channels = feature.Channels,
                Inside = inside,
                FirstPanels = PackPanels(
                    TiledDecoderWeights.TransposedConvolution(source.Read(feature.Name + "0.weight", feature.Channels, inside, 2, 2), feature.Channels, inside),
                    4 * inside, feature.Channels),
                FirstBias = Pack(TiledDecoderWeights.RepeatFourTimes(source.Read(feature.Name + "0.bias", inside))),
                Norm = ReadNorm(source, feature.Name + "1.", inside),
                SecondPanels = PackPanels(
                    TiledDecoderWeights.TransposedConvolution(source.Read(feature.Name + "3.weight", inside, maskChannels, 2, 2), inside, maskChannels),
                    4 * maskChannels, inside),
            };
        }

        FeatureBias = Pack(TiledDecoderWeights.RepeatFourTimes(bias));
    }

    /// <summary>Channels between the convolutions.</summary>
    public int Channels { get; }

    /// <summary>The first convolution, transformed: [block of 8 channels][product][mask channel][8].</summary>
    public float* Products { get; }

    public float* Bias { get; }

    /// <summary>Between the convolutions.</summary>
    public PackedNorm Norm { get; }

    /// <summary>The maps that make the features of the image.</summary>
    public Enlargement[] Features { get; }

    /// <summary>The biases of their last steps in one, four times.</summary>
    public float* FeatureBias { get; }

    /// <summary>What <see cref="MaskRefinement.Features"/> needs of one map.</summary>
    internal struct Enlargement
    {
        public int Channels, Inside;

        /// <summary>Rows (sy, sx, channel).</summary>
        public float* FirstPanels, FirstBias;

        public PackedNorm Norm;

        /// <summary>Rows (sy, sx, mask channel).</summary>
        public float* SecondPanels;
    }

    /// <summary>
    /// A mask's weights and the second convolution in one: a mask is one channel, so what the convolution gives is never needed
    /// apart.
    /// </summary>
    /// <param name="weights">[mask channel].</param>
    /// <param name="taps">Receives 3 x 3 rows of <see cref="Channels"/>.</param>
    /// <returns>The bias.</returns>
    public float Compose(float* weights, float* taps)
    {
        new Span<float>(taps, Taps * Channels).Clear();
        float bias = 0;
        for (int o = 0; o < _maskChannels; o++)
        {
            bias += weights[o] * _lastBias[o];
            ReadOnlySpan<float> kernels = _last.AsSpan(o * Channels * Taps, Channels * Taps);
            for (int c = 0; c < Channels; c++)
            {
                for (int tap = 0; tap < Taps; tap++) taps[(tap * Channels) + c] += weights[o] * kernels[(c * Taps) + tap];
            }
        }

        return bias;
    }

    private float* Transform(float[] kernels, int inputs)
    {
        int block = DecoderKernels.BlockRows, products = DecoderKernels.WinogradProducts;
        float* result = Allocate(DecoderMath.RoundUp(Channels, block) * (long)products * inputs);
        Span<double> transformed = stackalloc double[DecoderKernels.WinogradProducts];
        for (int c = 0; c < Channels; c++)
        {
            for (int i = 0; i < inputs; i++)
            {
                DecoderKernels.TransformKernel(kernels.AsSpan(((c * inputs) + i) * Taps, Taps), transformed);
                for (int p = 0; p < products; p++)
                    result[(((((c / block * (long)products) + p) * inputs) + i) * block) + (c % block)] = (float)transformed[p];
            }
        }

        return result;
    }

    private PackedNorm ReadNorm(StateDict source, string name, int width) => new()
    {
        Weight = Pack(source.Read(name + "weight", width)),
        Bias = Pack(source.Read(name + "bias", width)),
    };
}
