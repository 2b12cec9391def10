using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

namespace SegmentAnything.Families.HqSam;

/// <summary>What HQ-SAM adds to SAM's mask decoder, as its weights' shapes tell it.</summary>
/// <param name="Channels">Channels of the image embedding and of a token.</param>
/// <param name="EarlyChannels">Channels of the image encoder's early feature.</param>
/// <param name="CompressedChannels">Channels after the early feature's first upscaling.</param>
/// <param name="EncodedChannels">Channels after the embedding's first upscaling.</param>
/// <param name="RefinedChannels">Channels between the two 3 x 3 convolutions.</param>
/// <param name="MaskChannels">Channels that the mask's weights are multiplied with.</param>
/// <param name="MlpLayers">Layers of the mask's own hypernetwork.</param>
internal sealed record HqSamLayout(
    int Channels, int EarlyChannels, int CompressedChannels, int EncodedChannels, int RefinedChannels, int MaskChannels, int MlpLayers)
{
    public const string Token = "mask_decoder.hf_token.weight";
    public const string Mlp = "mask_decoder.hf_mlp.layers.";
    public const string Compress = "mask_decoder.compress_vit_feat.";
    public const string Encode = "mask_decoder.embedding_encoder.";
    public const string Refine = "mask_decoder.embedding_maskfeature.";

    /// <summary>Whether a decoder has anything of a high-quality mask.</summary>
    public static bool Fits(StateDict weights) => weights.Contains(Token) || CheckpointShapes.HasPart(weights, Compress);

    /// <summary>The high-quality mask as our own kernels compute it.</summary>
    /// <param name="alone">It takes the place of SAM's masks.</param>
    public MaskRefinement Refinement(bool alone) => new(
        Token, "hf_mlp", MlpLayers, Refine, RefinedChannels,
        [new EnlargedFeature(Encode, Channels, EncodedChannels), new EnlargedFeature(Compress, EarlyChannels, CompressedChannels)], alone);

    /// <summary>Reads the sizes.</summary>
    /// <param name="weights">Under their official names.</param>
    /// <param name="decoder">The rest of the decoder.</param>
    /// <exception cref="CheckpointException">A weight is missing or does not fit; the message names it.</exception>
    public static HqSamLayout Of(StateDict weights, DecoderLayout decoder)
    {
        int layers = CheckpointShapes.CountParts(weights, Mlp);
        HqSamLayout layout = new(
            decoder.Channels, Shape(Compress + "0.weight")[0], Shape(Compress + "0.weight")[1], Shape(Encode + "0.weight")[1],
            Shape(Refine + "0.weight")[0], decoder.UpscaleChannels2, layers);
        (string Name, int[] Shape)[] tensors = [.. layout.Tensors()];
        CheckpointShapes.Check(weights, tensors);
        foreach (string part in (string[])[Mlp, Compress, Encode, Refine]) CheckpointShapes.RefuseOthers(weights, part, tensors);
        return layout;

        ImmutableArray<int> Shape(string name) => weights.ShapeOf(name) is [_, _, _, _] shape
            ? shape
            : throw new CheckpointException($"{weights.Source}: tensor '{name}' has shape [{string.Join(", ", weights.ShapeOf(name))}], expected 4 dimensions.");
    }

    /// <summary>Every weight that is added, and its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        List<(string, int[])> tensors = [(Token, [1, Channels])];
        for (int i = 0; i < Math.Max(1, MlpLayers); i++)
        {
            tensors.Add(($"{Mlp}{i}.weight", [i == MlpLayers - 1 ? MaskChannels : Channels, Channels]));
            tensors.Add(($"{Mlp}{i}.bias", [i == MlpLayers - 1 ? MaskChannels : Channels]));
        }

        Add(Compress, EarlyChannels, CompressedChannels, MaskChannels, 2);
        Add(Encode, Channels, EncodedChannels, MaskChannels, 2);
        Add(Refine, MaskChannels, RefinedChannels, MaskChannels, 3);
        return tensors;

        // Two convolutions with a norm between them. Transposed ones have their inputs first.
        void Add(string name, int inputs, int inside, int outputs, int kernel)
        {
            bool transposed = kernel == 2;
            tensors.Add((name + "0.weight", transposed ? [inputs, inside, kernel, kernel] : [inside, inputs, kernel, kernel]));
            tensors.Add((name + "3.weight", transposed ? [inside, outputs, kernel, kernel] : [outputs, inside, kernel, kernel]));
            foreach ((string part, int count) in ((string, int)[])[("0.bias", inside), ("1.weight", inside), ("1.bias", inside), ("3.bias", outputs)])
                tensors.Add((name + part, [count]));
        }
    }
}
