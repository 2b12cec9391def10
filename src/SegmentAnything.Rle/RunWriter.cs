using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <summary>Builds a mask from its pixels in the order of its runs: down the first column, then down the next.</summary>
/// <remarks>
/// For whoever finds pixels in that order as stretches of one colour or as words of bits, and wants no bitmap between them and
/// the mask. Neighbouring columns can be written by several threads, each with a writer of its own; <see cref="Join"/> makes one
/// mask of them. <see cref="Clear"/> keeps the memory, so that a writer can be used for many masks without allocating.
/// <code>
/// var writer = new RunWriter(height: 4);
/// writer.WriteRun(foreground: false, 3);      // the first column: three pixels of background
/// writer.WriteRun(foreground: true, 1);       // and one of foreground
/// writer.WritePixels(0b0110, 4);              // the second column: its first pixel is the lowest bit
/// RleMask mask = writer.ToMask();             // 2 x 4, runs 3 1 1 2 1
/// </code>
/// One writer serves one thread at a time.
/// </remarks>
public sealed class RunWriter
{
    // Positions at which the colour changes; before the first pixel there is background, so the first is to foreground.
    private int[] _changes = new int[1024];
    private int _changeCount;
    private int _position;

    // 1 where the last pixel so far is foreground.
    private ulong _last;

    /// <summary>Makes a writer for masks, or parts of masks, of one height.</summary>
    /// <param name="height">Pixels in a column.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="height"/> is less than 1.</exception>
    public RunWriter(int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        Height = height;
    }

    /// <summary>Pixels in a column.</summary>
    public int Height { get; }

    /// <summary>Pixels written so far.</summary>
    public int Position => _position;

    /// <summary>Writes pixels of one colour; they may go on in the next columns.</summary>
    /// <param name="foreground">Their colour. It may be that of the pixels before them.</param>
    /// <param name="length">How many there are; 0 writes nothing.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative, or there would be more than 2^31 - 1 pixels.</exception>
    public void WriteRun(bool foreground, int length)
    {
        if ((uint)length > (uint)(int.MaxValue - _position)) ThrowLength(length, 0, int.MaxValue);
        if (length == 0) return;
        if (_last != (foreground ? 1UL : 0UL))
        {
            _last ^= 1;
            if (_changeCount == _changes.Length) Array.Resize(ref _changes, 2 * _changes.Length);
            _changes[_changeCount++] = _position;
        }

        _position += length;
    }

    /// <summary>Writes up to 64 pixels; they may go on in the next column.</summary>
    /// <param name="bits">A set bit is foreground. The first pixel is the lowest bit; bits beyond the pixels are ignored.</param>
    /// <param name="count">How many pixels there are, 1 to 64.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is not from 1 to 64, or there would be more than 2^31 - 1 pixels.</exception>
    public void WritePixels(ulong bits, int count = 64)
    {
        if ((uint)(count - 1) > 63 || count > int.MaxValue - _position) ThrowLength(count, 1, 64);

        // A set bit is a pixel that differs from the one before.
        ulong changed = (bits ^ ((bits << 1) | _last)) & (ulong.MaxValue >> (64 - count));
        if (changed != 0)
        {
            if (_changes.Length - _changeCount < 64 + RleKernels.ChangeSlack) Array.Resize(ref _changes, 2 * _changes.Length);
            int found = 0;
            RleKernels.WriteChanges(changed, _position, ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_changes), _changeCount), ref found);
            _changeCount += found;
            _last ^= (ulong)found & 1;
        }

        _position += count;
    }

    /// <summary>Forgets what was written, and keeps the memory.</summary>
    public void Clear()
    {
        _changeCount = _position = 0;
        _last = 0;
    }

    /// <summary>The mask of what was written. The writer can go on: the mask shares no memory with it.</summary>
    /// <returns>A mask of <see cref="Height"/> rows and as many columns as were written.</returns>
    /// <exception cref="InvalidOperationException">Nothing was written, or the last column is not complete.</exception>
    public RleMask ToMask()
    {
        RunWriter self = this;
        return Join(new ReadOnlySpan<RunWriter>(ref self));
    }

    /// <summary>One mask of parts that lie side by side.</summary>
    /// <param name="parts">Writers of one height, from the left to the right. A part need not end with a column; the last one must.</param>
    /// <returns>A mask of their height and of all their columns. It shares no memory with them.</returns>
    /// <exception cref="ArgumentException">There is no part, one is null, or their heights differ.</exception>
    /// <exception cref="InvalidOperationException">
    /// Nothing was written, the last column is not complete, or there are more than 2^31 - 1 pixels.
    /// </exception>
    public static RleMask Join(ReadOnlySpan<RunWriter> parts)
    {
        if (parts.IsEmpty) throw new ArgumentException("There is no part; give one writer at least.", nameof(parts));
        int height = parts[0]?.Height ?? 0, changes = 0;
        long pixels = 0;
        bool foreground = false;
        foreach (RunWriter part in parts)
        {
            if (part is null) throw new ArgumentException("A part is null.", nameof(parts));
            if (part.Height != height)
                throw new ArgumentException($"A part has columns of {part.Height} pixels, the first one of {height}; give all the same height.", nameof(parts));
            if (part._position == 0) continue;
            changes += part.ChangesAfter(foreground);
            foreground = part._last != 0;
            pixels += part._position;
        }

        CheckComplete(pixels, height);
        int[] counts = GC.AllocateUninitializedArray<int>(changes + 1);
        int written = 0, start = 0, last = 0;
        foreground = false;
        foreach (RunWriter part in parts)
        {
            if (part._position == 0) continue;
            part.WriteCounts(foreground, start, counts, ref written, ref last);
            foreground = part._last != 0;
            start += part._position;
        }

        counts[written] = start - last;
        return RleMask.FromOwnedCounts(counts, start / height, height);
    }

    private static void CheckComplete(long pixels, int height)
    {
        if (pixels == 0) throw new InvalidOperationException("No pixel was written; a mask has one at least.");
        if (pixels > int.MaxValue)
            throw new InvalidOperationException($"{pixels} pixels were written; a mask has at most {int.MaxValue}.");
        if (pixels % height != 0)
        {
            throw new InvalidOperationException(
                $"{pixels} pixels were written: the last column has {pixels % height} of {height}; write the rest of it first.");
        }
    }

    private bool StartsInForeground => _changeCount > 0 && _changes[0] == 0;

    // How many changes there are where the pixel before the first is foreground or background.
    private int ChangesAfter(bool foreground) => !foreground ? _changeCount : StartsInForeground ? _changeCount - 1 : _changeCount + 1;

    // Writes the length of the run that ends at each change; last is the change before, in the mask, and then the last.
    private void WriteCounts(bool foreground, int start, int[] counts, ref int written, ref int last)
    {
        ReadOnlySpan<int> changes = _changes.AsSpan(0, _changeCount);
        if (foreground && StartsInForeground)
        {
            changes = changes[1..];
        }
        else if (foreground)
        {
            counts[written++] = start - last;
            last = start;
        }

        RleKernels.WriteDifferences(changes, last - start, counts.AsSpan(written));
        written += changes.Length;
        if (!changes.IsEmpty) last = start + changes[^1];
    }

    [DoesNotReturn]
    private void ThrowLength(int length, int least, int most) => throw new ArgumentOutOfRangeException(
        nameof(length), length, length < least || length > most
            ? $"Expected {least} to {most} pixels."
            : $"{_position} pixels are written; a mask has at most {int.MaxValue}.");
}
