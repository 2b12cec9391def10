using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Changes the width of a row.</content>
internal static partial class ImageKernels
{
    /// <summary>One half in fixed point: sums start with it, so that dropping the fraction rounds.</summary>
    internal const int Half = 1 << (ResampleTable.Precision - 1);

    /// <summary>One row of pixels, its width changed. Pixels are four bytes.</summary>
    internal static void ShrinkRow(ReadOnlySpan<byte> row, ResampleTable table, Span<byte> destination)
    {
        if (Vector128.IsHardwareAccelerated) ShrinkRowVector128(row, table, destination);
        else ShrinkRowScalar(row, table, destination);
    }

    internal static void ShrinkRowScalar(ReadOnlySpan<byte> row, ResampleTable table, Span<byte> destination)
    {
        for (int x = 0; x < table.Length; x++)
        {
            ReadOnlySpan<int> weights = table.WeightsOf(x);
            ReadOnlySpan<byte> pixels = row.Slice(table.First[x] * 4, weights.Length * 4);
            int red = Half, green = Half, blue = Half;
            for (int k = 0; k < weights.Length; k++)
            {
                red += pixels[4 * k] * weights[k];
                green += pixels[(4 * k) + 1] * weights[k];
                blue += pixels[(4 * k) + 2] * weights[k];
            }

            destination[4 * x] = (byte)(red >> ResampleTable.Precision);
            destination[(4 * x) + 1] = (byte)(green >> ResampleTable.Precision);
            destination[(4 * x) + 2] = (byte)(blue >> ResampleTable.Precision);
            destination[(4 * x) + 3] = 0;
        }
    }

    // One pixel is one vector of four sums. No sum is negative, none passes 255.5: weights are not negative and add up to one.
    internal static void ShrinkRowVector128(ReadOnlySpan<byte> row, ResampleTable table, Span<byte> destination)
    {
        ref byte pixels = ref MemoryMarshal.GetReference(row);
        ref int weights = ref MemoryMarshal.GetArrayDataReference(table.Weights);
        ref uint output = ref Unsafe.As<byte, uint>(ref MemoryMarshal.GetReference(destination[..(table.Length * 4)]));
        for (int x = 0; x < table.Length; x++)
        {
            ref byte pixel = ref Unsafe.Add(ref pixels, table.First[x] * 4);
            ref int weight = ref Unsafe.Add(ref weights, x * table.Taps);
            Vector128<int> sum = Vector128.Create(Half);
            int count = table.Count[x];
            for (int k = 0; k < count; k++)
            {
                Vector128<byte> bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref pixel, 4 * k))).AsByte();
                Vector128<int> channels = Vector128.WidenLower(Vector128.WidenLower(bytes)).AsInt32();
                sum += channels * Unsafe.Add(ref weight, k);
            }

            sum = Vector128.ShiftRightLogical(sum, ResampleTable.Precision);
            Vector128<byte> packed = Vector128.Narrow(Vector128.Narrow(sum.AsUInt32(), sum.AsUInt32()), Vector128<ushort>.Zero);
            Unsafe.Add(ref output, x) = packed.AsUInt32().ToScalar();
        }
    }
}
