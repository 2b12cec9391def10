namespace SegmentAnything.Evaluation;

/// <summary>Thins what is thick to lines of one pixel, until nothing changes: MATLAB's bwmorph(image, 'thin', Inf).</summary>
/// <remarks>
/// 64 pixels at a time. A pixel goes when it has one crossing, two or three neighbours counted in pairs, and lies on the side whose turn
/// it is: east and south first, then west and north. Source: Lam, Lee and Suen, Thinning methodologies (1992), conditions G1 to G3;
/// originally Guo and Hall (1989).
/// </remarks>
internal static class EdgeThinning
{
    /// <summary>Thins an image in place.</summary>
    public static void Thin(BitImage image)
    {
        ulong[] before = new ulong[image.Words.Length];
        bool changed = true;
        while (changed)
        {
            changed = Pass(image, before, first: true);
            changed |= Pass(image, before, first: false);
        }
    }

    // All pixels are judged by the image as it was before the pass.
    private static bool Pass(BitImage image, ulong[] before, bool first)
    {
        image.Words.CopyTo(before, 0);
        int words = image.WordsPerRow;
        bool changed = false;
        for (int y = 0; y < image.Height; y++)
        {
            int row = y * words;
            for (int w = 0; w < words; w++)
            {
                ulong centre = before[row + w];
                if (centre == 0) continue;
                ReadOnlySpan<ulong> above = y > 0 ? before.AsSpan(row - words, words) : default;
                ReadOnlySpan<ulong> below = y + 1 < image.Height ? before.AsSpan(row + words, words) : default;
                ulong gone = centre & Removable(above, before.AsSpan(row, words), below, w, first);
                if (gone == 0) continue;
                image.Words[row + w] = centre & ~gone;
                changed = true;
            }
        }

        return changed;
    }

    private static ulong Removable(
        ReadOnlySpan<ulong> above, ReadOnlySpan<ulong> middle, ReadOnlySpan<ulong> below, int w, bool first)
    {
        // The eight neighbours, against the clock from the east.
        ulong east = Right(middle, w), northEast = Right(above, w), north = Same(above, w), northWest = Left(above, w);
        ulong west = Left(middle, w), southWest = Left(below, w), south = Same(below, w), southEast = Right(below, w);

        // One crossing: exactly one of the four sides is empty and followed by a pixel.
        ulong b1 = ~east & (northEast | north), b2 = ~north & (northWest | west);
        ulong b3 = ~west & (southWest | south), b4 = ~south & (southEast | east);
        ulong one = (b1 ^ b2 ^ b3 ^ b4) & ~((b1 & b2) | (b3 & b4));

        // Neighbours in pairs, begun at the sides and at the corners: the lesser number is 2 or 3.
        ulong a1 = east | northEast, a2 = north | northWest, a3 = west | southWest, a4 = south | southEast;
        ulong c1 = northEast | north, c2 = northWest | west, c3 = southWest | south, c4 = southEast | east;
        ulong two = AtLeastTwo(a1, a2, a3, a4) & AtLeastTwo(c1, c2, c3, c4);
        ulong four = a1 & a2 & a3 & a4 & c1 & c2 & c3 & c4;
        ulong side = first
            ? ~((northEast | north | ~southEast) & east)
            : ~((southWest | south | ~northWest) & west);
        return one & two & ~four & side;
    }

    private static ulong AtLeastTwo(ulong a, ulong b, ulong c, ulong d) => (a & b) | (c & d) | ((a | b) & (c | d));

    private static ulong Same(ReadOnlySpan<ulong> row, int w) => row.IsEmpty ? 0 : row[w];

    // The pixel one column to the right, where each pixel is.
    private static ulong Right(ReadOnlySpan<ulong> row, int w)
    {
        if (row.IsEmpty) return 0;
        return (row[w] >> 1) | (w + 1 < row.Length ? row[w + 1] << 63 : 0);
    }

    private static ulong Left(ReadOnlySpan<ulong> row, int w)
    {
        if (row.IsEmpty) return 0;
        return (row[w] << 1) | (w > 0 ? row[w - 1] >> 63 : 0);
    }
}
