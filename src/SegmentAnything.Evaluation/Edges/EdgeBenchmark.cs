using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation;

/// <summary>How edges are compared.</summary>
public sealed record EdgeBenchmarkOptions
{
    /// <summary>BSDS500's: 99 thresholds, 0.0075 of the diagonal, thinned.</summary>
    public static EdgeBenchmarkOptions Bsds { get; } = new();

    /// <summary>How many thresholds there are: k / (number + 1), k from 1. 1 to 254.</summary>
    public int Thresholds { get; init; } = 99;

    /// <summary>How far a pixel and its partner may lie apart, as a part of the image's diagonal; 0.011 for NYUD.</summary>
    public double MaxDistance { get; init; } = 0.0075;

    /// <summary>Whether edges are thinned at every threshold.</summary>
    public bool Thin { get; init; } = true;

    internal double ThresholdAt(int place) => (place + 1.0) / (Thresholds + 1.0);

    internal void Check()
    {
        if (Thresholds is < 1 or > 254)
            throw new ArgumentException($"{Thresholds} thresholds were asked for. Edges have 8 bits: give 1 to 254.");
        if (!(MaxDistance >= 0 && MaxDistance <= 1))
            throw new ArgumentException($"The greatest distance is {MaxDistance} of the diagonal. Give 0 to 1, such as 0.0075.");
    }
}

/// <summary>What was counted in one image, at each threshold.</summary>
/// <param name="Thresholds">The thresholds, ascending.</param>
/// <param name="MatchedHuman">Pixels that people drew and the edges have, summed over people (cntR).</param>
/// <param name="Human">Pixels that people drew, summed over people (sumR).</param>
/// <param name="MatchedEdges">Pixels of the edges that any person drew (cntP).</param>
/// <param name="Edges">Pixels of the edges (sumP).</param>
public sealed record EdgeCounts(
    IReadOnlyList<double> Thresholds,
    IReadOnlyList<long> MatchedHuman,
    IReadOnlyList<long> Human,
    IReadOnlyList<long> MatchedEdges,
    IReadOnlyList<long> Edges);

/// <summary>Compares soft edges with the boundaries that people drew, as BSDS500's benchmark does.</summary>
/// <remarks>
/// Source: BSDS500, bench (boundaryPR, collect_eval_bdry): Arbelaez, Maire, Fowlkes and Malik (2011). The benchmark pairs pixels by
/// an assignment on a graph that is thinned at random; pairs here are an exact assignment's, which changes F by 0.0005 or less.
/// </remarks>
public static class EdgeBenchmark
{
    /// <summary>Counts the pixels of one image that match.</summary>
    /// <param name="edges">The strength of the edges, 0 to 255 for 0 to 1, row-major.</param>
    /// <param name="boundaries">What people drew, one a person, all of one size: that of the image.</param>
    /// <param name="options">How they are compared; <see cref="EdgeBenchmarkOptions.Bsds"/> when null.</param>
    /// <param name="cancellationToken">Ends the work between two pairings.</param>
    /// <exception cref="ArgumentException">
    /// There are no boundaries, their sizes differ, or the edges are not as many as the boundaries' pixels; an option makes no sense.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static EdgeCounts Count(
        ReadOnlySpan<byte> edges, IReadOnlyList<RleMask> boundaries, EdgeBenchmarkOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(boundaries);
        options ??= EdgeBenchmarkOptions.Bsds;
        options.Check();
        (int width, int height) = CheckSizes(edges.Length, boundaries);

        double reach = options.MaxDistance * Math.Sqrt(((double)height * height) + ((double)width * width));
        var people = boundaries.Select(BitImage.Of).Select(image => (Image: image, Pixels: image.Pixels())).ToArray();
        long human = people.Sum(person => (long)person.Pixels.Length);
        int count = options.Thresholds;
        double[] thresholds = [.. Enumerable.Range(0, count).Select(options.ThresholdAt)];
        long[] matchedHuman = new long[count], matchedEdges = new long[count], edgeCounts = new long[count];
        for (int k = 0; k < count; k++)
        {
            int level = LevelOf(thresholds[k]);
            if (k > 0 && !HasLevels(edges, LevelOf(thresholds[k - 1]), level))
            {
                // The same edges as at the threshold before.
                (matchedHuman[k], matchedEdges[k], edgeCounts[k]) = (matchedHuman[k - 1], matchedEdges[k - 1], edgeCounts[k - 1]);
                continue;
            }

            BitImage bits = BitImage.AtLeast(edges, width, height, level);
            if (options.Thin) EdgeThinning.Thin(bits);
            (int X, int Y)[] pixels = bits.Pixels();
            bool[] matched = new bool[pixels.Length];
            foreach ((_, (int X, int Y)[] drawn) in people)
            {
                cancellationToken.ThrowIfCancellationRequested();
                (int[] partners, _) = EdgeMatching.Match(pixels, drawn, width, height, reach * reach);
                for (int p = 0; p < partners.Length; p++)
                {
                    if (partners[p] < 0) continue;
                    matched[p] = true;
                    matchedHuman[k]++;
                }
            }

            edgeCounts[k] = pixels.Length;
            matchedEdges[k] = matched.AsSpan().Count(true);
        }

        return new EdgeCounts(thresholds, matchedHuman, [.. Enumerable.Repeat(human, count)], matchedEdges, edgeCounts);
    }

    /// <summary>Gathers the counts of a set's images.</summary>
    /// <param name="images">What <see cref="Count"/> gave for each.</param>
    /// <exception cref="ArgumentException">There is none, or their thresholds differ.</exception>
    public static EdgeScores Gather(IReadOnlyList<EdgeCounts> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.Count == 0) throw new ArgumentException("No image was counted, so there is nothing to score.", nameof(images));
        foreach (EdgeCounts image in images)
        {
            if (!image.Thresholds.SequenceEqual(images[0].Thresholds))
                throw new ArgumentException("Two images were counted at different thresholds.", nameof(images));
        }

        return new EdgeScores(images);
    }

    private static (int Width, int Height) CheckSizes(int edges, IReadOnlyList<RleMask> boundaries)
    {
        if (boundaries.Count == 0) throw new ArgumentException("No person's boundaries were given.", nameof(boundaries));
        RleMask first = boundaries[0];
        foreach (RleMask other in boundaries)
        {
            if (other.Width != first.Width || other.Height != first.Height)
            {
                throw new ArgumentException(
                    $"Boundaries of {first.Width}x{first.Height} and of {other.Width}x{other.Height} pixels were given for one image.", nameof(boundaries));
            }
        }

        if (edges != (long)first.Width * first.Height)
        {
            throw new ArgumentException(
                $"{edges} edge pixels were given, but the boundaries have {first.Width}x{first.Height} pixels.", nameof(edges));
        }

        return (first.Width, first.Height);
    }

    // The lowest level whose value, level / 255 in doubles, reaches a threshold.
    private static int LevelOf(double threshold)
    {
        int level = 0;
        while (level <= 255 && level / 255.0 < threshold) level++;
        return level;
    }

    private static bool HasLevels(ReadOnlySpan<byte> edges, int from, int to) =>
        from < to && edges.ContainsAnyInRange((byte)from, (byte)(to - 1));
}
