using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <summary>Intersection over union of every detection with every ground truth.</summary>
/// <remarks>
/// A ground truth can be a crowd, as COCO calls a region of many objects: the intersection is then divided by the
/// detection's area alone. A ratio is 0 when nothing is in common.
/// </remarks>
public static class IouMatrix
{
    /// <summary>Compares masks.</summary>
    /// <param name="detections">Masks of one size.</param>
    /// <param name="groundTruths">Masks of the same size.</param>
    /// <param name="isCrowd">One value a ground truth, or none at all when no ground truth is a crowd.</param>
    /// <returns>The ratios, 0 to 1: a row for each detection, a column for each ground truth.</returns>
    /// <exception cref="ArgumentNullException">A list or a mask is null.</exception>
    /// <exception cref="ArgumentException">There is another number of crowd values than of ground truths.</exception>
    /// <exception cref="RleFormatException">The sizes of two masks differ; the position is the index in its list.</exception>
    /// <remarks>
    /// Boxes are compared first, masks only where their boxes meet. Source: COCO API, maskApi.c (rleIou).
    /// </remarks>
    public static double[,] Masks(
        IReadOnlyList<RleMask> detections, IReadOnlyList<RleMask> groundTruths, ReadOnlySpan<bool> isCrowd = default)
    {
        CheckCrowd(groundTruths, isCrowd);
        CheckMasks(detections, groundTruths);
        var ratios = new double[detections.Count, groundTruths.Count];
        ref byte first = ref MemoryMarshal.GetArrayDataReference((Array)ratios);
        Span<double> zeros = MemoryMarshal.CreateSpan(ref Unsafe.As<byte, double>(ref first), ratios.Length);
        CompareMasks(detections, groundTruths, isCrowd, zeros, areZero: true);
        return ratios;
    }

    /// <summary>Compares masks and writes the ratios to memory that is there already.</summary>
    /// <param name="detections">Masks of one size.</param>
    /// <param name="groundTruths">Masks of the same size.</param>
    /// <param name="isCrowd">One value a ground truth, or none at all when no ground truth is a crowd.</param>
    /// <param name="destination">
    /// The ratios, 0 to 1, row-major: for each detection one for each ground truth. What lies behind them is left alone.
    /// </param>
    /// <exception cref="ArgumentNullException">A list or a mask is null.</exception>
    /// <exception cref="ArgumentException">
    /// There is another number of crowd values than of ground truths, or the destination is too short.
    /// </exception>
    /// <exception cref="RleFormatException">The sizes of two masks differ; the position is the index in its list.</exception>
    /// <remarks>For many images in a loop: a large new matrix often costs as much as the comparison.</remarks>
    public static void Masks(
        IReadOnlyList<RleMask> detections, IReadOnlyList<RleMask> groundTruths, ReadOnlySpan<bool> isCrowd, Span<double> destination)
    {
        CheckCrowd(groundTruths, isCrowd);
        CheckMasks(detections, groundTruths);
        long ratios = (long)detections.Count * groundTruths.Count;
        if (destination.Length < ratios) ThrowHelper.DestinationTooShort(destination.Length, ratios, nameof(destination));
        CompareMasks(detections, groundTruths, isCrowd, destination, areZero: false);
    }

    // Where boxes do not meet the ratio is 0: a row is cleared before the others are written, if it is not zero already.
    private static void CompareMasks(
        IReadOnlyList<RleMask> detections, IReadOnlyList<RleMask> groundTruths, ReadOnlySpan<bool> isCrowd,
        Span<double> ratios, bool areZero)
    {
        IndexedRuns[] indexed = Index(groundTruths);
        var boxes = new BoxRows(indexed);
        int[] meeting = new int[indexed.Length];
        for (int d = 0; d < detections.Count; d++)
        {
            var detection = new IndexedRuns(detections[d]);
            Span<double> row = ratios.Slice(d * indexed.Length, indexed.Length);
            if (!areZero) row.Clear();
            foreach (int g in meeting.AsSpan(0, boxes.FindMeeting(detection.Box, meeting)))
                row[g] = detection.IntersectionOverUnion(indexed[g], !isCrowd.IsEmpty && isCrowd[g]);
        }
    }

    /// <summary>Compares boxes.</summary>
    /// <param name="detections">Four numbers a box, COCO's order: x, y, width, height, in any unit.</param>
    /// <param name="groundTruths">Four numbers a box, in the same unit.</param>
    /// <param name="isCrowd">One value a ground truth, or none at all when no ground truth is a crowd.</param>
    /// <returns>The ratios, 0 to 1: a row for each detection, a column for each ground truth.</returns>
    /// <exception cref="ArgumentException">
    /// A number of coordinates is not a multiple of 4, or there is another number of crowd values than of ground truths.
    /// </exception>
    /// <remarks>Source: COCO API, maskApi.c (bbIou).</remarks>
    public static double[,] Boxes(
        ReadOnlySpan<double> detections, ReadOnlySpan<double> groundTruths, ReadOnlySpan<bool> isCrowd = default)
    {
        CheckBoxes(detections.Length, nameof(detections));
        CheckBoxes(groundTruths.Length, nameof(groundTruths));
        CheckCrowd(groundTruths.Length / 4, isCrowd);
        var ratios = new double[detections.Length / 4, groundTruths.Length / 4];
        for (int d = 0; d < ratios.GetLength(0); d++)
        {
            ReadOnlySpan<double> a = detections.Slice(4 * d, 4);
            for (int g = 0; g < ratios.GetLength(1); g++)
            {
                ReadOnlySpan<double> b = groundTruths.Slice(4 * g, 4);
                double width = Math.Min(a[0] + a[2], b[0] + b[2]) - Math.Max(a[0], b[0]);
                double height = Math.Min(a[1] + a[3], b[1] + b[3]) - Math.Max(a[1], b[1]);
                if (!(width > 0) || !(height > 0)) continue;
                double intersection = width * height, areaA = a[2] * a[3];
                bool crowd = !isCrowd.IsEmpty && isCrowd[g];
                ratios[d, g] = intersection / (crowd ? areaA : areaA + (b[2] * b[3]) - intersection);
            }
        }

        return ratios;
    }

    /// <summary>Compares the borders of masks: the pixels of each that are near its own border.</summary>
    /// <param name="detections">Masks of one size.</param>
    /// <param name="groundTruths">Masks of the same size.</param>
    /// <param name="isCrowd">One value a ground truth, or none at all when no ground truth is a crowd.</param>
    /// <param name="dilationRatio">Width of the border as a part of the image's diagonal.</param>
    /// <returns>The ratios, 0 to 1: a row for each detection, a column for each ground truth.</returns>
    /// <exception cref="ArgumentNullException">A list or a mask is null.</exception>
    /// <exception cref="ArgumentException">There is another number of crowd values than of ground truths.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The ratio is not a positive number.</exception>
    /// <exception cref="RleFormatException">The sizes of two masks differ; the position is the index in its list.</exception>
    /// <remarks>
    /// See <see cref="RleMask.BoundaryIntersectionOverUnion"/>. COCO's "boundary" evaluation takes the smaller of this and
    /// the mask's own ratio. Source: Boundary IoU (Cheng et al. 2021).
    /// </remarks>
    public static double[,] Boundaries(
        IReadOnlyList<RleMask> detections, IReadOnlyList<RleMask> groundTruths, ReadOnlySpan<bool> isCrowd = default,
        double dilationRatio = RleMask.DefaultDilationRatio)
    {
        CheckCrowd(groundTruths, isCrowd);
        CheckMasks(detections, groundTruths);
        return Masks(
            [.. detections.Select(mask => mask.Boundary(dilationRatio))],
            [.. groundTruths.Select(mask => mask.Boundary(dilationRatio))], isCrowd);
    }

    internal static IndexedRuns[] Index(IReadOnlyList<RleMask> masks)
    {
        var indexed = new IndexedRuns[masks.Count];
        for (int i = 0; i < indexed.Length; i++) indexed[i] = new IndexedRuns(masks[i]);
        return indexed;
    }

    private static void CheckMasks(IReadOnlyList<RleMask> detections, IReadOnlyList<RleMask> groundTruths)
    {
        ArgumentNullException.ThrowIfNull(detections);
        RleMask? first = null;
        CheckList(detections, nameof(detections), ref first);
        CheckList(groundTruths, nameof(groundTruths), ref first);
    }

    internal static void CheckList(IReadOnlyList<RleMask> masks, string parameter, ref RleMask? first)
    {
        for (int i = 0; i < masks.Count; i++)
        {
            RleMask mask = masks[i] ?? throw new ArgumentNullException(parameter, $"Mask {i} is null.");
            first ??= mask;
            ThrowHelper.CheckSameSize(first, mask, i);
        }
    }

    private static void CheckCrowd(IReadOnlyList<RleMask> groundTruths, ReadOnlySpan<bool> isCrowd)
    {
        ArgumentNullException.ThrowIfNull(groundTruths);
        CheckCrowd(groundTruths.Count, isCrowd);
    }

    private static void CheckCrowd(int groundTruths, ReadOnlySpan<bool> isCrowd)
    {
        if (!isCrowd.IsEmpty && isCrowd.Length != groundTruths)
        {
            throw new ArgumentException(
                $"There are {isCrowd.Length} crowd values for {groundTruths} ground truths.", nameof(isCrowd));
        }
    }

    private static void CheckBoxes(int coordinates, string parameter)
    {
        if (coordinates % 4 != 0)
            throw new ArgumentException($"There are {coordinates} coordinates; a box has 4.", parameter);
    }
}
