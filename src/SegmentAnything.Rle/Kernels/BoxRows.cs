using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
        int found = 0, done = 0;
        if (Vector512.IsHardwareAccelerated) FindMeeting<Simd512, Vector512<float>>(box, indices, ref done, ref found);
        if (Vector256.IsHardwareAccelerated) FindMeeting<Simd256, Vector256<float>>(box, indices, ref done, ref found);
        for (; done < _left.Length; done++)
        {
            if (_left[done] < box.Right && _right[done] > box.X && _top[done] < box.Bottom && _bottom[done] > box.Y)
                indices[found++] = done;
        }

        return found;
    }

    // Whole vectors from where the last width ended. Which boxes meet is hard to foresee, so nothing is decided: what is found
    // moves to the front of a vector's places, of which the next vector takes those left over. Up to here there are no more
    // than were looked at.
    private void FindMeeting<TSimd, TVector>(MaskBox box, Span<int> indices, ref int done, ref int found)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref int left = ref MemoryMarshal.GetArrayDataReference(_left), top = ref MemoryMarshal.GetArrayDataReference(_top);
        ref int right = ref MemoryMarshal.GetArrayDataReference(_right), bottom = ref MemoryMarshal.GetArrayDataReference(_bottom);
        ref int destination = ref MemoryMarshal.GetReference(indices[.._left.Length]);
        TVector boxLeft = TSimd.Broadcast(box.X), boxTop = TSimd.Broadcast(box.Y), boxRight = TSimd.Broadcast(box.Right), boxBottom = TSimd.Broadcast(box.Bottom);
        int i = done, count = found;
        for (; i <= _left.Length - TSimd.Width; i += TSimd.Width)
        {
            TVector meets = TSimd.And(
                TSimd.And(
                    TSimd.LessThan<int>(TSimd.Load(in left, (nuint)i), boxRight), TSimd.GreaterThan<int>(TSimd.Load(in right, (nuint)i), boxLeft)),
                TSimd.And(
                    TSimd.LessThan<int>(TSimd.Load(in top, (nuint)i), boxBottom), TSimd.GreaterThan<int>(TSimd.Load(in bottom, (nuint)i), boxTop)));
            ulong lanes = TSimd.HighestBits<int>(meets);
            TSimd.StoreSelected(TSimd.Add<int>(TSimd.Indices<int>(), TSimd.Broadcast(i)), lanes, ref Unsafe.Add(ref destination, count));
            count += BitOperations.PopCount(lanes);
        }

        (done, found) = (i, count);
    }
}
