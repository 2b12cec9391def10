using System.Collections.Immutable;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Decoding;

/// <summary>Decides which engine decodes masks.</summary>
internal static class MaskDecoderEngines
{
    /// <summary>
    /// The graphs, on the first provider that works. On the CPU our own tiled kernels take their place, unless the
    /// options ask for the graphs or the network is of a size the kernels do not cover.
    /// </summary>
    /// <param name="weights">The decoder's, under SAM 1's official names.</param>
    /// <param name="layout">Their sizes.</param>
    /// <param name="features">The maps of an image, in their order; the first is the embedding.</param>
    /// <param name="options">Providers, and the engine that is asked for.</param>
    /// <param name="splitter">The threads of our own kernels; it must outlive the engine.</param>
    /// <param name="refinement">A mask beside the others, for the kernels; null where there is none.</param>
    /// <param name="addition">The same for the graphs.</param>
    /// <exception cref="ExecutionProviderException">No provider of the list works.</exception>
    public static (IMaskDecoderEngine Engine, ExecutionProvider Provider) Create(
        StateDict weights, DecoderLayout layout, ImmutableArray<FeatureMapShape> features, SamOptions options, WorkSplitter splitter,
        MaskRefinement? refinement = null, DecoderAddition? addition = null)
    {
        bool kernelsServe = options.Decoder == DecoderBackend.Auto && TiledMaskDecoder.Supports(layout, refinement);
        return options.Execution.Choose<(IMaskDecoderEngine, ExecutionProvider)>(execution =>
            kernelsServe && execution.Providers[0] is CpuProvider first
                ? (new TiledMaskDecoder(weights, layout, splitter, refinement), first)
                : Graphs(weights, layout, features, addition, execution));
    }

    // Beside the other, so that who runs our kernels touches nothing of ONNX Runtime.
    private static (IMaskDecoderEngine Engine, ExecutionProvider Provider) Graphs(
        StateDict weights, DecoderLayout layout, ImmutableArray<FeatureMapShape> features, DecoderAddition? addition, ExecutionOptions execution)
    {
        int grid = features[0].Side;
        GraphMaskDecoder graphs = new(DecoderGraphs.Build(weights, layout, grid, addition), features, DecoderLayout.Upscaling * grid, execution);
        return (graphs, graphs.Provider);
    }
}
