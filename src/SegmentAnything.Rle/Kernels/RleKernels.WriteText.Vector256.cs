using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Writes COCO's compressed text with vectors of 256 bits.</content>
internal static partial class RleKernels
{
    // Sixteen differences at a time when each fits one character: then they are as many bytes. Otherwise eight, of one or
    // two characters.
    internal static int WriteTextVector256(ReadOnlySpan<int> counts, Span<byte> text)
    {
        ref int runs = ref MemoryMarshal.GetReference(counts);
        ref byte start = ref MemoryMarshal.GetReference(text);
        ref byte next = ref WriteFirstThree(ref runs, ref start);
        int i = 3, last = counts.Length - 1;
        while (i <= counts.Length - 16)
        {
            if (TryWriteSingles(ref runs, i, ref next, out Vector256<int> first))
            {
                next = ref Unsafe.Add(ref next, 16);
                i += 16;
                continue;
            }

            int length = Ssse3.IsSupported ? WritePairs(first, ref next) : 0;
            next = ref length != 0 ? ref Unsafe.Add(ref next, length) : ref WriteNumbers(ref runs, i, i + 8, ref next);
            i += 8;
        }

        // What is left, but for the last run, which is often far from its neighbours: as the end of sixteen. Where all have
        // a character each, those before them are written again where they are; otherwise nothing is written.
        int left = last - i;
        if (left > 0 && last >= 19 && TryWriteSingles(ref runs, last - 16, ref Unsafe.Subtract(ref next, 16 - left), out _))
        {
            next = ref Unsafe.Add(ref next, left);
            i = last;
        }

        next = ref WriteNumbers(ref runs, i, counts.Length, ref next);
        return (int)Unsafe.ByteOffset(ref start, ref next);
    }

    // Sixteen differences of one character each; false, and nothing written, when one needs more. Gives the first eight.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryWriteSingles(ref int runs, int i, ref byte next, out Vector256<int> first)
    {
        Vector256<int> low = Vector256.LoadUnsafe(ref runs, (nuint)i) - Vector256.LoadUnsafe(ref runs, (nuint)i - 2);
        Vector256<int> high = Vector256.LoadUnsafe(ref runs, (nuint)i + 8) - Vector256.LoadUnsafe(ref runs, (nuint)i + 6);
        first = low;
        // -16..15 moved to 0..31: no bit above the fifth.
        Vector256<int> beyondLow = low + Vector256.Create(16), beyondHigh = high + Vector256.Create(16);
        if (((beyondLow | beyondHigh) & Vector256.Create(~31)) != Vector256<int>.Zero) return false;
        Vector256<short> words = Vector256.Narrow(low, high);
        Vector128<sbyte> bytes = Vector128.Narrow(words.GetLower(), words.GetUpper());
        ((bytes & Vector128.Create((sbyte)31)) + Vector128.Create((sbyte)48)).AsByte().StoreUnsafe(ref next);
        return true;
    }

    // Eight differences of one or two characters: 16 bytes, from which a shuffle takes the second characters that are not
    // there. Returns how many are left; 0 when a difference needs more.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int WritePairs(Vector256<int> differences, ref byte next)
    {
        Vector256<int> magnitudes = differences ^ (differences >> 31);
        if ((magnitudes & Vector256.Create(~511)) != Vector256<int>.Zero) return 0;
        Vector128<short> words = Vector128.Narrow(differences.GetLower(), differences.GetUpper());
        Vector128<short> magnitude = Vector128.Narrow(magnitudes.GetLower(), magnitudes.GetUpper());
        Vector128<short> isPair = Vector128.GreaterThan(magnitude, Vector128.Create((short)15));
        Vector128<short> characters = (words & Vector128.Create((short)0x1f)) | ((words << 3) & Vector128.Create((short)0x1f00));
        characters = (characters | (isPair & Vector128.Create((short)0x20))) + Vector128.Create((short)0x3030);
        uint pairs = isPair.ExtractMostSignificantBits();
        ref byte shuffle = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(JoinPairs), (nint)(16 * pairs));
        Ssse3.Shuffle(characters.AsByte(), Vector128.LoadUnsafe(ref shuffle)).StoreUnsafe(ref next);
        return 8 + BitOperations.PopCount(pairs);
    }
}
