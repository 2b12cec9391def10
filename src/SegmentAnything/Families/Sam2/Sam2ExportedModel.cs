using System.Collections.Immutable;
using Google.Protobuf;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam2;

/// <summary>A SAM 2 whose prompt encoder and mask decoder are another exporter's ONNX file, which is run as it is.</summary>
/// <param name="file">The file, complete with what it keeps beside it.</param>
/// <param name="layout">The names of its tensors.</param>
/// <param name="features">The maps that it takes, in the order of the names.</param>
/// <param name="imageSize">The side of the square that the image encoder takes, in pixels.</param>
internal sealed class Sam2ExportedModel(
    ModelProto file, ExportedDecoderLayout layout, ImmutableArray<FeatureMapShape> features, int imageSize) : FamilyModel
{
    public override SamVariant? Published => null;

    public override string Description => "SAM 2";

    public override ModelFrame Frame { get; } = new(imageSize, imageSize, PictureFit.Squash, PictureResize.Floats, MaskResize.Direct);

    public override ImmutableArray<FeatureMapShape> Features => features;

    public override ModelCapabilities Capabilities => new()
    {
        MaskPrompts = layout.Mask is not null,
        MultipleMasks = layout is { FirstMask: 0, Masks: > 1 } ? layout.Masks - 1 : layout.Masks,
        ObjectScores = layout.ObjectScore is not null,
    };

    public override MaskRules Masks => layout is { FirstMask: 0, Masks: > 1 } ? new Sam2MaskRules(layout.Masks) : new GivenMasks(layout.FirstMask, layout.Masks);

    public override int LowResSize => DecoderLayout.Upscaling * features[0].Side;

    public override PromptTokens ReadPromptTokens()
    {
        float[] nothing = new float[features[0].Channels];
        nothing[2] = -1;
        return new PromptTokens { GaussianMatrix = [], Labels = [], Nothing = nothing, Padding = TokenPadding.Never, AsTheyAre = true };
    }

    public override float[] ReadWithoutMask() => new float[features[0].Channels];

    public override MaskPromptNetwork? ReadMaskPrompt() => layout.Mask is null ? null : new MaskAsItIs(features[0].Channels, features[0].Side);

    public override (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter)
    {
        ExportedMaskDecoder engine = new(file.ToByteArray(), Weights.Source, layout, features, options.Execution);
        return (engine, engine.Provider);
    }

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        throw new InvalidOperationException("This is a mask decoder alone.");

    public override GraphBuilder BuildOfficialDecoder() => throw new InvalidOperationException("This is an export already.");

    /// <summary>Those of a file that gives the multiple masks, or one, whatever is asked for: the single one is the best of them.</summary>
    private sealed class GivenMasks(int first, int count) : MaskRules(count)
    {
        public override float LogitLimit => 32;

        public override (int First, int Count) Computed(MaskSelection selection) => (first, Tokens);

        public override int? Choose(MaskSelection selection, ReadOnlySpan<float> logits, ReadOnlySpan<float> predictedIou)
        {
            if (selection != MaskSelection.Single || Tokens == 1) return null;
            int best = 0;
            for (int i = 1; i < predictedIou.Length; i++)
            {
                if (predictedIou[i] > predictedIou[best]) best = i;
            }

            return best;
        }
    }
}
