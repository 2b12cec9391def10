using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <summary>The boxes of many masks, edge by edge, to find those that meet one box.</summary>
internal readonly struct BoxRows
{
    private readonly int[] _left, _top, _right, _bottom;

    public BoxRows(ReadOnlySpan<IndexedRuns> masks)
    {
        _left = new int[masks.Length];
        _top = new int[masks.Length];
        _right = new int[masks.Length];
        _bottom = new int[masks.Length];
        for (int i = 0; i < masks.Length; i++)
        {
            MaskBox box = masks[i].Box;
            (_left[i], _top[i], _right[i], _bottom[i]) = (box.X, box.Y, box.Right, box.Bottom);
        }
    }

    /// <summary>Writes the indices of the boxes that share a pixel with one box, rising; returns how many.</summary>
    /// <param name="box">A box.</param>
    /// <param name="indices">As many as there are boxes; those behind the ones found may be changed.</param>
    public int FindMeeting(MaskBox box, Span<int> indices)
    {
        int found = 0, i = 0;
        ref int left = ref MemoryMarshal.GetArrayDataReference(_left), top = ref MemoryMarshal.GetArrayDataReference(_top);
        ref int right = ref MemoryMarshal.GetArrayDataReference(_right), bottom = ref MemoryMarshal.GetArrayDataReference(_bottom);
        if (Avx512F.IsSupported)
        {
            // Which boxes meet is hard to foresee, so nothing is decided: what is found moves to the front of sixteen places,
            // of which the next sixteen take those left over. Up to here there are no more than i.
            for (; i <= _left.Length - 16; i += 16)
            {
                Vector512<int> meets = Vector512.LessThan(Vector512.LoadUnsafe(ref left, (nuint)i), Vector512.Create(box.Right))
                    & Vector512.GreaterThan(Vector512.LoadUnsafe(ref right, (nuint)i), Vector512.Create(box.X))
                    & Vector512.LessThan(Vector512.LoadUnsafe(ref top, (nuint)i), Vector512.Create(box.Bottom))
                    & Vector512.GreaterThan(Vector512.LoadUnsafe(ref bottom, (nuint)i), Vector512.Create(box.Y));
                Vector512<int> here = Vector512<int>.Indices + Vector512.Create(i);
                Avx512F.Compress(Vector512<int>.Zero, meets, here).CopyTo(indices[found..]);
                found += BitOperations.PopCount((uint)meets.ExtractMostSignificantBits());
            }
        }

        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= _left.Length - 8; i += 8)
            {
                Vector256<int> meets = Vector256.LessThan(Vector256.LoadUnsafe(ref left, (nuint)i), Vector256.Create(box.Right))
                    & Vector256.GreaterThan(Vector256.LoadUnsafe(ref right, (nuint)i), Vector256.Create(box.X))
                    & Vector256.LessThan(Vector256.LoadUnsafe(ref top, (nuint)i), Vector256.Create(box.Bottom))
                    & Vector256.GreaterThan(Vector256.LoadUnsafe(ref bottom, (nuint)i), Vector256.Create(box.Y));
                for (uint bits = meets.ExtractMostSignificantBits(); bits != 0; bits &= bits - 1)
                    indices[found++] = i + BitOperations.TrailingZeroCount(bits);
            }
        }

        for (; i < _left.Length; i++)
        {
            if (_left[i] < box.Right && _right[i] > box.X && _top[i] < box.Bottom && _bottom[i] > box.Y)
                indices[found++] = i;
        }

        return found;
    }
}
