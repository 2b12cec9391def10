namespace SegmentAnything.Graphs;

/// <summary>
/// The end of SAM's ViT encoder, which other encoders have as well: a product, LayerNorm, a 3 x 3 convolution, LayerNorm,
/// and the graph's output <c>embedding</c> (1, C, G, G).
/// </summary>
internal static class SamNeck
{
    /// <param name="g">The graph.</param>
    /// <param name="rows">Reads the weights <c>neck.0</c> to <c>neck.3</c>.</param>
    /// <param name="x">(G², inputs).</param>
    /// <param name="inputs">Channels of x.</param>
    /// <param name="channels">C.</param>
    /// <param name="grid">G.</param>
    /// <param name="epsilon">Of the norms.</param>
    /// <returns>The graph.</returns>
    public static GraphBuilder Build(GraphBuilder g, TokenRows rows, Value x, int inputs, int channels, int grid, float epsilon)
    {
        float[] first = rows.Read("neck.0.weight", channels, inputs, 1, 1);
        x = rows.Norm(g, g.MatMul(x, TokenRows.Matrix(g, "neck.0", first, channels)), "neck.1", grid * grid, channels, epsilon);
        Value kernel = g.Kernel("neck.2.weight", rows.Read("neck.2.weight", channels, channels, 3, 3), channels, channels, 3, 3);
        x = g.Node("Conv", [TokenRows.ToPlanes(g, x, grid, grid, channels), kernel], ("pads", new long[] { 1, 1, 1, 1 }));
        x = rows.Norm(g, TokenRows.ToRows(g, x, grid, grid, channels), "neck.3", grid * grid, channels, epsilon);
        g.Output("embedding", TokenRows.ToPlanes(g, x, grid, grid, channels), 1, channels, grid, grid);
        return g;
    }
}
