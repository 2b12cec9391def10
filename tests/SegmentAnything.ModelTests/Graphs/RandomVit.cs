using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;

namespace SegmentAnything.ModelTests.Graphs;

/// <summary>Random weights of a ViT encoder of any size, made when they are asked for: nothing is kept in memory.</summary>
internal sealed class RandomVit : StateDict
{
    private readonly Dictionary<string, TensorInfo> _tensors = [];

    public RandomVit(VitLayout layout)
    {
        (int c, int o) = (layout.Channels, layout.OutputChannels);
        Add("pos_embed", 1, layout.Grid, layout.Grid, c);
        Linear("patch_embed.proj", c, 3, layout.PatchSize, layout.PatchSize);
        for (int i = 0; i < layout.Depth; i++)
        {
            string block = $"blocks.{i}.";
            Linear(block + "norm1", c);
            Linear(block + "norm2", c);
            Add(block + "attn.rel_pos_h", 2 * layout.Windows[i] - 1, layout.HeadChannels);
            Add(block + "attn.rel_pos_w", 2 * layout.Windows[i] - 1, layout.HeadChannels);
            Linear(block + "attn.qkv", 3 * c, c);
            Linear(block + "attn.proj", c, c);
            Linear(block + "mlp.lin1", layout.HiddenChannels, c);
            Linear(block + "mlp.lin2", c, layout.HiddenChannels);
        }

        Add("neck.0.weight", o, c, 1, 1);
        Linear("neck.1", o);
        Add("neck.2.weight", o, o, 3, 3);
        Linear("neck.3", o);

        void Linear(string name, params int[] shape)
        {
            Add(name + ".weight", shape);
            Add(name + ".bias", shape[0]);
        }

        void Add(string name, params int[] shape) => _tensors[VitLayout.Prefix + name] = new TensorInfo(VitLayout.Prefix + name, TensorType.Float32, [.. shape]);
    }

    /// <summary>The published sizes.</summary>
    /// <summary>Such weights, recognised.</summary>
    public static FamilyModel Model(StateDict weights)
    {
        VitLayout layout = VitLayout.Of(weights);
        return new Sam1Model(layout.ImageSize, layout.Grid, null) { Weights = weights, Vit = layout };
    }

    public static VitLayout Published(int channels, int depth, int heads, params int[] globalBlocks) => new(16, 64, channels, heads, 4 * channels, 256,
        [.. Enumerable.Range(0, depth).Select(i => globalBlocks.Contains(i) ? 64 : 14)]);

    public override string Source => "random weights";

    public override IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    public long Values => _tensors.Values.Sum(t => t.Count);

    protected internal override void ReadCore(TensorInfo tensor, Span<float> destination)
    {
        // Norms are near one, the rest is small enough that activations stay in bounds through any depth.
        bool scale = tensor.Name.Contains("norm", StringComparison.Ordinal) && tensor.Name.EndsWith(".weight", StringComparison.Ordinal);
        float middle = scale ? 1 : 0, width = tensor.Shape.Length > 1 ? 1 / MathF.Sqrt(tensor.Count / (float)tensor.Shape[0]) : 0.1f;
        uint state = 2463534242;
        foreach (char letter in tensor.Name) state = state * 31 + letter;
        for (int i = 0; i < destination.Length; i++)
        {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            destination[i] = middle + width * ((int)state * (1f / int.MaxValue));
        }
    }
}
