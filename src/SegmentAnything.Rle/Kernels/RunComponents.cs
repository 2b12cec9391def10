using System.Buffers;
using System.Runtime.CompilerServices;

namespace SegmentAnything.Rle.Kernels;

/// <summary>The connected components of one colour of a mask, found on its runs.</summary>
/// <remarks>
/// Runs of the colour are cut at the ends of columns; the pieces are the nodes. Pieces of neighbouring columns that touch
/// are joined (union-find, the smaller index is the root, so that a root is its component's first piece). Memory is
/// proportional to the runs and columns. Dispose to give the buffers back.
/// </remarks>
internal ref struct RunComponents
{
    // Every other pixel of the largest picture that is read by default; a mask of one run may claim 2^31 columns.
    private const int MaxPieces = 1 << 27;

    private readonly int[] _start;
    private readonly int[] _end;
    private readonly int[] _root;
    private readonly int _height;

    private RunComponents(int pieces, int height)
    {
        Count = pieces;
        _height = height;
        _start = ArrayPool<int>.Shared.Rent(pieces);
        _end = ArrayPool<int>.Shared.Rent(pieces);
        _root = ArrayPool<int>.Shared.Rent(pieces);
    }

    /// <summary>Number of pieces: runs of the colour, cut at the ends of columns.</summary>
    public int Count { get; }

    /// <summary>First pixel of each piece, column-major; rising.</summary>
    public readonly ReadOnlySpan<int> Starts => _start.AsSpan(0, Count);

    /// <summary>One past the last pixel of each piece.</summary>
    public readonly ReadOnlySpan<int> Ends => _end.AsSpan(0, Count);

    /// <summary>The component of each piece, named by its first piece's index.</summary>
    public readonly ReadOnlySpan<int> Roots => _root.AsSpan(0, Count);

    /// <summary>Finds the components.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="height">Pixels in a column.</param>
    /// <param name="foreground">The colour: true for the foreground, false for the background.</param>
    /// <param name="connectivity">Which pixels are neighbours.</param>
    public static RunComponents Find(
        ReadOnlySpan<int> counts, int height, bool foreground, PixelConnectivity connectivity)
    {
        long pieces = CountPieces(counts, height, foreground);
        if (pieces > MaxPieces) ThrowHelper.Format($"the mask's columns have {pieces} pieces of one colour; the regions of at most {MaxPieces} are found. Resize the mask", -1);
        var components = new RunComponents((int)pieces, height);
        components.CutAndJoin(counts, foreground, connectivity == PixelConnectivity.Eight ? 1 : 0);
        return components;
    }

    /// <summary>Gives the buffers back.</summary>
    public readonly void Dispose()
    {
        ArrayPool<int>.Shared.Return(_start);
        ArrayPool<int>.Shared.Return(_end);
        ArrayPool<int>.Shared.Return(_root);
    }

    /// <summary>Writes the area of each component at its root's index, 0 elsewhere.</summary>
    public readonly void Areas(Span<int> areas)
    {
        areas = areas[..Count];
        areas.Clear();
        for (int i = 0; i < areas.Length; i++) areas[_root[i]] += _end[i] - _start[i];
    }

    /// <summary>One mask a component, in the order of their first pieces.</summary>
    public readonly RleMask[] Split(int width)
    {
        // Where each component's pieces go when they are sorted by component: offsets[k]..offsets[k + 1].
        int[] number = ArrayPool<int>.Shared.Rent(Count);
        int[] sorted = ArrayPool<int>.Shared.Rent(Count);
        int found = 0;
        for (int i = 0; i < Count; i++)
            if (_root[i] == i) number[i] = found++;
        var offsets = new int[found + 1];
        for (int i = 0; i < Count; i++) offsets[number[_root[i]] + 1]++;
        for (int k = 0; k < found; k++) offsets[k + 1] += offsets[k];
        for (int i = 0; i < Count; i++) sorted[offsets[number[_root[i]]]++] = i;

        // The offsets have moved on by one component: component k now ends at offsets[k].
        var masks = new RleMask[found];
        int first = 0;
        for (int k = 0; k < found; k++)
        {
            var runs = new RunBuilder((2 * (offsets[k] - first)) + 2);
            int position = 0;
            for (; first < offsets[k]; first++)
            {
                int piece = sorted[first];
                runs.AddStretch(_start[piece] - position, foreground: false);
                runs.AddStretch(_end[piece] - _start[piece], foreground: true);
                position = _end[piece];
            }

            runs.AddStretch((width * _height) - position, foreground: false);
            masks[k] = RleMask.FromOwnedCounts(runs.ToArrayAndFree(), width, _height);
        }

        ArrayPool<int>.Shared.Return(number);
        ArrayPool<int>.Shared.Return(sorted);
        return masks;
    }

    /// <summary>How many pieces runs of a colour are cut into at the ends of columns.</summary>
    public static long CountPieces(ReadOnlySpan<int> counts, int height, bool foreground)
    {
        // A run that starts in row y and has n pixels touches (y + n - 1) / height more columns.
        long pieces = 0;
        int row = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int last = row + counts[i];
            if ((i & 1) != 0 == foreground && counts[i] > 0)
                pieces += last <= height ? 1 : 1 + ((uint)(last - 1) / (uint)height);
            row = last < height ? last : (int)((uint)last % (uint)height);
        }

        return pieces;
    }

    private readonly void CutAndJoin(ReadOnlySpan<int> counts, bool foreground, int reach)
    {
        int[] start = _start, end = _end, root = _root;
        int height = _height;
        int pieces = 0;
        // The pieces of the column before this one are previous..previousEnd, those of this one go on from there.
        int previous = 0, previousEnd = 0;
        int columnStart = 0, position = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int runEnd = position + counts[i];
            if ((i & 1) != 0 != foreground)
            {
                position = runEnd;
                continue;
            }

            while (position < runEnd)
            {
                if (position - columnStart >= height)
                {
                    // The next column, or a later one when the run before was long: then no piece is a neighbour.
                    int next = position - ((position - columnStart) % height);
                    previous = next - columnStart == height ? previousEnd : pieces;
                    previousEnd = pieces;
                    columnStart = next;
                }

                int pieceEnd = Math.Min(runEnd, columnStart + height);
                start[pieces] = position;
                end[pieces] = pieceEnd;
                root[pieces] = pieces;

                // In the coordinates of the column before: pieces that end above this one touch nothing from here on.
                int top = position - height - reach, bottom = pieceEnd - height + reach;
                while (previous < previousEnd && end[previous] <= top) previous++;
                for (int j = previous; j < previousEnd && start[j] < bottom; j++) Join(root, pieces, j);
                pieces++;
                position = pieceEnd;
            }
        }

        for (int i = 0; i < pieces; i++) root[i] = root[root[i]];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Join(int[] root, int a, int b)
    {
        int rootA = FindRoot(root, a), rootB = FindRoot(root, b);
        if (rootA < rootB) root[rootB] = rootA;
        else root[rootA] = rootB;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FindRoot(int[] root, int i)
    {
        while (root[i] != i)
        {
            // Halve the path on the way.
            int next = root[root[i]];
            root[i] = next;
            i = next;
        }

        return i;
    }
}
