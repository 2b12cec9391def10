namespace SegmentAnything.Automatic;

/// <summary>The points that the automatic generator prompts with, as parts of the image's width and height.</summary>
/// <remarks>Source: Segment Anything, utils/amg.py (build_point_grid, build_all_layer_point_grids).</remarks>
internal static class PointGrid
{
    /// <summary>The grid of the whole image and of each layer of crops: those that the options have, or evenly spaced ones.</summary>
    public static (double X, double Y)[][] Of(AutomaticMaskOptions options) => options.PointGrids is null
        ? BuildLayers(options.PointsPerSide, options.CropLayers, options.CropPointsDownscaleFactor)
        : [.. options.PointGrids.Select(grid => grid.ToArray())];

    /// <summary>Evenly spaced points, x varying fastest: half a step from the edges, a step between.</summary>
    public static (double X, double Y)[] Build(int pointsPerSide)
    {
        double[] positions = Positions(pointsPerSide);
        var points = new (double X, double Y)[pointsPerSide * pointsPerSide];
        for (int i = 0; i < points.Length; i++) points[i] = (positions[i % pointsPerSide], positions[i / pointsPerSide]);
        return points;
    }

    /// <summary>One grid for the whole image and one for each layer of crops, each coarser than the one before.</summary>
    /// <param name="pointsPerSide">Of the whole image's grid.</param>
    /// <param name="cropLayers">How many layers of crops there are.</param>
    /// <param name="downscaleFactor">Layer i has points per side / factor^i, rounded down; a layer may end up without points.</param>
    public static (double X, double Y)[][] BuildLayers(int pointsPerSide, int cropLayers, int downscaleFactor) =>
        [.. Enumerable.Range(0, cropLayers + 1).Select(layer => Build((int)(pointsPerSide / Math.Pow(downscaleFactor, layer))))];

    // As numpy's linspace computes it: start + i * step, the last position set.
    private static double[] Positions(int count)
    {
        double[] positions = new double[count];
        double start = 1.0 / (2 * count);
        double stop = 1 - start;
        double step = (stop - start) / (count - 1);
        for (int i = 0; i < count; i++) positions[i] = count == 1 ? start : (i * step) + start;
        if (count > 1) positions[^1] = stop;
        return positions;
    }
}
