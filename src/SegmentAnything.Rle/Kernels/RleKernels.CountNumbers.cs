using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Counts the numbers of COCO's compressed text.</content>
internal static partial class RleKernels
{
    /// <summary>How many numbers a text has that is right; of another text, at least as many as can be read.</summary>
    public static int CountNumbers(ReadOnlySpan<byte> text)
    {
        // A number ends with a character without the bit that says that more follow; 48 more makes it the highest bit.
        ref byte source = ref MemoryMarshal.GetReference(text);
        int i = 0, more = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i <= text.Length - 64; i += 64)
            {
                more += BitOperations.PopCount(
                    (Vector512.LoadUnsafe(ref source, (nuint)i) + Vector512.Create((byte)48)).ExtractMostSignificantBits());
            }
        }

        if (Vector128.IsHardwareAccelerated && text.Length >= 16)
        {
            for (; i <= text.Length - 16; i += 16) more += BitOperations.PopCount(MoreBits(ref source, i));
            // The rest as the end of the last sixteen.
            return text.Length - more - BitOperations.PopCount(MoreBits(ref source, text.Length - 16) >> (16 - text.Length + i));
        }

        for (; i < text.Length; i++) more += (byte)(text[i] + 48) >> 7;
        return text.Length - more;
    }

    // Which of sixteen characters say that more follow.
    private static uint MoreBits(ref byte source, int from) =>
        (Vector128.LoadUnsafe(ref source, (nuint)from) + Vector128.Create((byte)48)).ExtractMostSignificantBits();
}
