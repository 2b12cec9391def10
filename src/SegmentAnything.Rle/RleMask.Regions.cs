using System.Buffers;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Islands and holes.</content>
public sealed partial class RleMask
{
    /// <summary>Removes small islands: connected regions of foreground, corners included, below an area.</summary>
    /// <param name="minArea">Regions of fewer pixels than this are removed.</param>
    /// <returns>
    /// The mask without them, and whether there were any. When all are small the largest is kept, of several largest
    /// the first.
    /// </returns>
    /// <exception cref="RleFormatException">One colour, cut at the ends of columns, has more than 2^27 pieces.</exception>
    /// <remarks>
    /// First means: first in reading order of blocks of 2 x 2 pixels, the order in which OpenCV numbers regions. As in the
    /// reference, a mask of one small island comes back unchanged and reported as changed.
    /// Source: Segment Anything, utils/amg.py (remove_small_regions, mode "islands").
    /// </remarks>
    public (RleMask Mask, bool Changed) RemoveSmallRegions(long minArea)
    {
        using RunComponents islands = RunComponents.Find(_counts, Height, foreground: true, PixelConnectivity.Eight);
        int[] areas = ArrayPool<int>.Shared.Rent(islands.Count);
        try
        {
            islands.Areas(areas);
            ReadOnlySpan<int> roots = islands.Roots;
            int largest = -1;
            bool anySmall = false, anyLarge = false;
            for (int i = 0; i < roots.Length; i++)
            {
                if (roots[i] != i) continue;
                if (areas[i] < minArea) anySmall = true;
                else anyLarge = true;
                if (largest < 0 || areas[i] > areas[largest]) largest = i;
            }

            if (!anySmall) return (this, false);
            int only = anyLarge ? -1 : FirstInBlockOrder(islands, areas, areas[largest]);

            var runs = new RunBuilder(_counts.Length + 1);
            int position = 0;
            for (int i = 0; i < roots.Length; i++)
            {
                if (only < 0 ? areas[roots[i]] < minArea : roots[i] != only) continue;
                runs.AddStretch(islands.Starts[i] - position, foreground: false);
                runs.AddStretch(islands.Ends[i] - islands.Starts[i], foreground: true);
                position = islands.Ends[i];
            }

            runs.AddStretch((Width * Height) - position, foreground: false);
            return (new RleMask(runs.ToArrayAndFree(), Width, Height), true);
        }
        finally
        {
            ArrayPool<int>.Shared.Return(areas);
        }
    }

    /// <summary>Fills small holes: connected regions of background, corners included, below an area.</summary>
    /// <param name="minArea">Regions of fewer pixels than this become foreground, those at the border too.</param>
    /// <returns>The mask without them, and whether there were any.</returns>
    /// <exception cref="RleFormatException">One colour, cut at the ends of columns, has more than 2^27 pieces.</exception>
    /// <remarks>Source: Segment Anything, utils/amg.py (remove_small_regions, mode "holes").</remarks>
    public (RleMask Mask, bool Changed) FillSmallHoles(long minArea)
    {
        using RunComponents holes = RunComponents.Find(_counts, Height, foreground: false, PixelConnectivity.Eight);
        int[] areas = ArrayPool<int>.Shared.Rent(holes.Count);
        try
        {
            holes.Areas(areas);
            ReadOnlySpan<int> roots = holes.Roots;
            bool anySmall = false;
            for (int i = 0; i < roots.Length && !anySmall; i++) anySmall = areas[roots[i]] < minArea;
            if (!anySmall) return (this, false);

            var runs = new RunBuilder(_counts.Length + 1);
            int position = 0;
            for (int i = 0; i < roots.Length; i++)
            {
                if (areas[roots[i]] < minArea) continue;
                runs.AddStretch(holes.Starts[i] - position, foreground: true);
                runs.AddStretch(holes.Ends[i] - holes.Starts[i], foreground: false);
                position = holes.Ends[i];
            }

            runs.AddStretch((Width * Height) - position, foreground: true);
            return (new RleMask(runs.ToArrayAndFree(), Width, Height), true);
        }
        finally
        {
            ArrayPool<int>.Shared.Return(areas);
        }
    }

    /// <summary>The connected regions of the foreground.</summary>
    /// <param name="connectivity">Whether pixels that share only a corner belong to one region.</param>
    /// <returns>
    /// One mask of this size a region, in the order of their first pixel down the columns from the left; none for an empty
    /// mask. Their union is this mask.
    /// </returns>
    /// <exception cref="RleFormatException">One colour, cut at the ends of columns, has more than 2^27 pieces.</exception>
    public RleMask[] ConnectedComponents(PixelConnectivity connectivity = PixelConnectivity.Eight)
    {
        using RunComponents components = RunComponents.Find(_counts, Height, foreground: true, connectivity);
        return components.Split(Width);
    }

    // Among the components of the given area, the one whose first block of 2 x 2 pixels comes first in reading order.
    // Two components, being apart even at the corners, never share a block.
    private int FirstInBlockOrder(in RunComponents components, ReadOnlySpan<int> areas, int area)
    {
        long firstKey = long.MaxValue;
        int first = -1;
        for (int i = 0; i < components.Count; i++)
        {
            int root = components.Roots[i];
            if (areas[root] != area) continue;
            int x = components.Starts[i] / Height, y = components.Starts[i] - (x * Height);
            long key = ((long)(y >> 1) * Width) + (x >> 1);
            if (key >= firstKey) continue;
            firstKey = key;
            first = root;
        }

        return first;
    }
}
