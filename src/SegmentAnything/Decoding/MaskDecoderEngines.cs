using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;

namespace SegmentAnything.Decoding;

/// <summary>Decides which engine decodes masks.</summary>
internal static class MaskDecoderEngines
{
    /// <summary>
    /// The graphs, on the first provider that works. On the CPU our own tiled kernels take their place, unless the
    /// options ask for the graphs or the network is of a size the kernels do not cover.
    /// </summary>
    public static (IMaskDecoderEngine Engine, ExecutionProvider Provider) Create(StateDict weights, int grid, SamOptions options)
    {
        GraphMaskDecoder graphs = new(weights, grid, options.Execution);
        return (graphs, graphs.Provider);
    }
}
