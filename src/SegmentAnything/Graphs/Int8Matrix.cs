using System.Numerics.Tensors;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Graphs;

/// <summary>
/// A layer's weights as 8-bit integers with a scale for each output, for products of integers whose activations are
/// quantised while the network runs.
/// </summary>
/// <param name="Values">Inputs x outputs.</param>
/// <param name="Scales">What an output's integers are multiplied by.</param>
/// <remarks>
/// Processors without VNNI add two products of unsigned and signed bytes into 16 bits, which saturate: there, integers are
/// -63 .. 63, as 2 · 255 · 63 = 32130 still fits. Elsewhere all of -127 .. 127 is used.
/// </remarks>
internal sealed record Int8Matrix(sbyte[] Values, float[] Scales)
{
    public const int LargestOf16BitSums = 63;

    public const int LargestOf32BitSums = 127;

    /// <summary>The largest integer that ONNX Runtime's products bear on this processor.</summary>
    public static int LargestHere { get; } = Adds16Bits() ? LargestOf16BitSums : LargestOf32BitSums;

    /// <summary>Rounds weights as PyTorch keeps them (outputs x inputs) to the nearest multiple of their output's scale.</summary>
    /// <param name="weight">The weights.</param>
    /// <param name="outputs">How many outputs there are.</param>
    /// <param name="largest">The integer of each output's largest weight.</param>
    public static Int8Matrix Of(ReadOnlySpan<float> weight, int outputs, int largest)
    {
        int inputs = weight.Length / outputs;
        sbyte[] values = new sbyte[weight.Length];
        float[] scales = new float[outputs];
        for (int o = 0; o < outputs; o++)
        {
            ReadOnlySpan<float> row = weight.Slice(o * inputs, inputs);
            float most = MathF.Abs(TensorPrimitives.MaxMagnitude(row));
            scales[o] = most == 0 ? 1 : most / largest; // NaN goes on to the results, where it is seen
            for (int i = 0; i < inputs; i++) values[i * outputs + o] = (sbyte)MathF.Round(row[i] / scales[o]);
        }

        return new Int8Matrix(values, scales);
    }

    // .NET has no name for AVX512-VNNI: bit 11 of ECX in leaf 7.
    private static bool Adds16Bits() =>
        X86Base.IsSupported && !AvxVnni.IsSupported && !(Avx512F.IsSupported && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0);
}
