using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>COCO's compressed text: the groups of five bits that numbers are written in.</content>
internal static partial class RleKernels
{
    /// <summary>Most characters a number takes: 7 groups of 5 bits hold any difference of two runs below 2^31.</summary>
    internal const int MaxGroups = 7;

    /// <summary>
    /// For each set of pairs among eight numbers, where the bytes come from when pairs of bytes become one or two
    /// characters: 16 bytes a set, bit k of its number saying that number k has two.
    /// </summary>
    private static readonly byte[] JoinPairs = MakeShuffles(join: true);

    /// <summary>The inverse: characters to pairs of bytes, the second one 0 where there is none.</summary>
    private static readonly byte[] SplitPairs = MakeShuffles(join: false);

    private static byte[] MakeShuffles(bool join)
    {
        var shuffles = new byte[256 * 16];
        // A byte with the highest bit set takes nothing.
        shuffles.AsSpan().Fill(0x80);
        for (int pairs = 0; pairs < 256; pairs++)
        {
            int character = 0;
            for (int k = 0; k < 8; k++)
            {
                for (int j = 0; j <= ((pairs >> k) & 1); j++, character++)
                    shuffles[(16 * pairs) + (join ? character : (2 * k) + j)] = (byte)(join ? (2 * k) + j : character);
            }
        }

        return shuffles;
    }

    // Bits 5 k .. 5 k + 4 go to the low bits of byte k.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong SpreadGroups(ulong value)
    {
        if (Bmi2.X64.IsSupported) return Bmi2.X64.ParallelBitDeposit(value, 0x1f1f1f1f1f1f1f1fUL);
        // The upper halves move up: 20 of 40 bits, then 10 of each 20, then 5 of each 10.
        value = (value & 0xfffffUL) | ((value & 0xfffff00000UL) << 12);
        value = (value & 0x000003ff000003ffUL) | ((value & 0x000ffc00000ffc00UL) << 6);
        return (value & 0x001f001f001f001fUL) | ((value & 0x03e003e003e003e0UL) << 3);
    }

    // The low five bits of each byte, put together: the inverse of SpreadGroups.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong GatherGroups(ulong bytes)
    {
        if (Bmi2.X64.IsSupported) return Bmi2.X64.ParallelBitExtract(bytes, 0x1f1f1f1f1f1f1f1fUL);
        bytes = (bytes & 0x001f001f001f001fUL) | ((bytes & 0x1f001f001f001f00UL) >> 3);
        bytes = (bytes & 0x000003ff000003ffUL) | ((bytes & 0x03ff000003ff0000UL) >> 6);
        return (bytes & 0xfffffUL) | ((bytes & 0x000fffff00000000UL) >> 12);
    }
}
