using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Writes COCO's compressed text with AVX-512.</content>
internal static partial class RleKernels
{
    // Sixteen differences of up to four characters: each has its own four bytes, from which those that are not there are
    // taken out. The first run and the last are often far from their neighbours, so they go by themselves.
    internal static int WriteTextVector512(ReadOnlySpan<int> counts, Span<byte> text)
    {
        ref int runs = ref MemoryMarshal.GetReference(counts);
        ref byte start = ref MemoryMarshal.GetReference(text);
        int i = 17, last = counts.Length - 1;
        ref byte next = ref WriteNumber(runs, ref start);
        // Runs 1 and 2 have none before them to differ from.
        Vector512<int> first = Vector512.LoadUnsafe(ref runs, 1);
        int length = WriteGroups(first - Avx512F.AlignRight32(first, Vector512<int>.Zero, 14), 16, ref next);
        next = ref length != 0 ? ref Unsafe.Add(ref next, length) : ref Unsafe.Add(ref start, WriteTextScalar(counts[..i], text));
        for (; i <= last - 16; i += 16)
        {
            Vector512<int> differences = Vector512.LoadUnsafe(ref runs, (nuint)i) - Vector512.LoadUnsafe(ref runs, (nuint)i - 2);
            length = WriteGroups(differences, 16, ref next);
            next = ref length != 0 ? ref Unsafe.Add(ref next, length) : ref WriteNumbers(ref runs, i, i + 16, ref next);
        }

        // What is left, as the end of sixteen; where there is room for them.
        if (i < last && Unsafe.ByteOffset(ref start, ref next) <= text.Length - 64)
        {
            Vector512<int> differences = Vector512.LoadUnsafe(ref runs, (nuint)last - 16) - Vector512.LoadUnsafe(ref runs, (nuint)last - 18);
            length = WriteGroups(differences, last - i, ref next);
            next = ref Unsafe.Add(ref next, length);
            if (length != 0) i = last;
        }

        next = ref WriteNumbers(ref runs, i, counts.Length, ref next);
        return (int)Unsafe.ByteOffset(ref start, ref next);
    }

    // Writes the last so many of sixteen differences; 64 bytes, of which the numbers' are the first. Returns how many those
    // are; 0 when one of the sixteen differences needs more than four characters.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int WriteGroups(Vector512<int> differences, int count, ref byte next)
    {
        Vector512<uint> bits = differences.AsUInt32(), magnitudes = (differences ^ (differences >> 31)).AsUInt32();
        if (count == 16 && (magnitudes & Vector512.Create(~0xfu)) == Vector512<uint>.Zero)
        {
            // A character each.
            Avx512F.ConvertToVector128Byte((bits & Vector512.Create(0x1fu)) + Vector512.Create(0x30u)).StoreUnsafe(ref next);
            return 16;
        }

        if ((magnitudes & Vector512.Create(~0x7ffffu)) != Vector512<uint>.Zero) return 0;
        Vector512<uint> groups = (bits & Vector512.Create(0x1fu)) | ((bits << 3) & Vector512.Create(0x1f00u))
            | ((bits << 6) & Vector512.Create(0x1f0000u)) | ((bits << 9) & Vector512.Create(0x1f000000u));
        // 5 bits a character, one of them the sign.
        Vector512<uint> further = (Vector512.GreaterThan(magnitudes, Vector512.Create(0xfu)) & Vector512.Create(0xff00u))
            | (Vector512.GreaterThan(magnitudes, Vector512.Create(0x1ffu)) & Vector512.Create(0xff0000u))
            | (Vector512.GreaterThan(magnitudes, Vector512.Create(0x3fffu)) & Vector512.Create(0xff000000u));
        Vector512<uint> characters = (groups | ((further >>> 8) & Vector512.Create(0x202020u))) + Vector512.Create(0x30303030u);
        Vector512<byte> present = (further | Vector512.Create(0xffu)).AsByte();
        if (count < 16) present &= Vector512.LessThan(Vector512.Create(15 - count), Vector512<int>.Indices).AsByte();
        Avx512Vbmi2.Compress(Vector512<byte>.Zero, present, characters.AsByte()).StoreUnsafe(ref next);
        return BitOperations.PopCount(present.ExtractMostSignificantBits());
    }
}
