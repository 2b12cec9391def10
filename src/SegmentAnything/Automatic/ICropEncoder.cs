using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Masks;

namespace SegmentAnything.Automatic;

/// <summary>What the automatic generator needs of a model: it encodes crops.</summary>
internal interface ICropEncoder
{
    /// <summary>The model, for those who observe.</summary>
    string ModelName { get; }

    /// <summary>Threads to work with, the caller's included.</summary>
    int Threads { get; }

    /// <summary>Encodes one crop, once.</summary>
    IEncodedCrop Encode(PixelBuffer crop, CancellationToken cancellationToken);

    /// <summary>Takes a crop that is encoded already. To dispose what is returned leaves the embedding as it is.</summary>
    IEncodedCrop Use(ImageEmbedding embedding);
}

/// <summary>An encoded crop, to be prompted with points.</summary>
internal interface IEncodedCrop : IDisposable
{
    /// <summary>How many masks a point gives: 3.</summary>
    int MasksPerPoint { get; }

    /// <summary>The side of the low-resolution logits: 256.</summary>
    int LowResSize { get; }

    /// <summary>The side of the model's padded frame: 1024.</summary>
    int ModelSize { get; }

    /// <summary>What the image encoder sees: channels x grid x grid values that cover the model's padded frame.</summary>
    ReadOnlySpan<float> Embedding { get; }

    /// <summary>Channels of the embedding.</summary>
    int EmbeddingChannels { get; }

    /// <summary>From low-resolution logits to masks of the crop's size.</summary>
    IMaskUpscaler Upscaler { get; }

    /// <summary>Decodes a batch of single foreground points.</summary>
    /// <param name="points">In pixels of the crop.</param>
    /// <param name="leastPredictedIou">Masks with less need no logits, nor does the frame's padding; null where all of all masks is wanted.</param>
    /// <param name="logits">points x masks x side x side values, of which those that the upscaler reads are written; all of them for null.</param>
    /// <param name="predictedIou">points x masks values are written.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    void Decode(
        ReadOnlySpan<(double X, double Y)> points, float? leastPredictedIou, Span<float> logits, Span<float> predictedIou, CancellationToken cancellationToken);

    /// <summary>Decodes a point together with a mask that it gave, into the single mask of both.</summary>
    /// <param name="point">In pixels of the crop.</param>
    /// <param name="logits">side x side values of the mask, which those of the single mask take the place of.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>The predicted IoU.</returns>
    float Refine((double X, double Y) point, Span<float> logits, CancellationToken cancellationToken);
}

/// <summary>The real model.</summary>
internal sealed class ModelCropEncoder(ImageEncoder imageEncoder, PromptEncoder promptEncoder, MaskDecoder maskDecoder) : ICropEncoder
{
    public string ModelName => imageEncoder.ModelName;

    public int Threads => maskDecoder.Threads;

    public IEncodedCrop Encode(PixelBuffer crop, CancellationToken cancellationToken) =>
        new EncodedCrop(imageEncoder.Encode(crop, cancellationToken), promptEncoder, maskDecoder, isOwned: true);

    public IEncodedCrop Use(ImageEmbedding embedding)
    {
        maskDecoder.Check(embedding);
        return new EncodedCrop(embedding, promptEncoder, maskDecoder, isOwned: false);
    }

    private sealed class EncodedCrop(ImageEmbedding embedding, PromptEncoder promptEncoder, MaskDecoder maskDecoder, bool isOwned) : IEncodedCrop
    {
        private float[] _tokens = [];

        public int MasksPerPoint { get; } = maskDecoder.MasksOf(MaskSelection.Multiple);

        public int LowResSize => maskDecoder.LowResSize;

        public int ModelSize => embedding.ModelSize;

        public ReadOnlySpan<float> Embedding => embedding.Values;

        public int EmbeddingChannels => embedding.Channels;

        public IMaskUpscaler Upscaler { get; } = maskDecoder.UpscalerOf(embedding);

        public void Decode(
            ReadOnlySpan<(double X, double Y)> points, float? leastPredictedIou, Span<float> logits, Span<float> predictedIou, CancellationToken cancellationToken)
        {
            int tokenValues = promptEncoder.TokensOfPoint * embedding.Channels;
            if (_tokens.Length < points.Length * tokenValues) _tokens = new float[points.Length * tokenValues];
            for (int i = 0; i < points.Length; i++)
                promptEncoder.WritePoint(points[i].X, points[i].Y, embedding.Frame, _tokens.AsSpan(i * tokenValues, tokenValues));

            using ImageEmbedding.Use use = embedding.Acquire();
            maskDecoder.DecodeLogits(
                embedding, _tokens.AsSpan(0, points.Length * tokenValues), points.Length, MaskSelection.Multiple, leastPredictedIou, logits, predictedIou, cancellationToken);
        }

        public float Refine((double X, double Y) point, Span<float> logits, CancellationToken cancellationToken)
        {
            int tokenValues = promptEncoder.TokensOfPoint * embedding.Channels;
            if (_tokens.Length < tokenValues) _tokens = new float[tokenValues];
            promptEncoder.WritePoint(point.X, point.Y, embedding.Frame, _tokens.AsSpan(0, tokenValues));
            using MemoryOwner<float> mask = MemoryOwner<float>.Allocate(logits.Length), dense = MemoryOwner<float>.Allocate(promptEncoder.DenseLength);
            maskDecoder.LimitLogits(logits);
            logits.CopyTo(mask.Span);
            promptEncoder.EncodeMask(mask.Memory, dense.Memory, cancellationToken);
            using ImageEmbedding.Use use = embedding.Acquire();
            return maskDecoder.DecodeSingle(embedding, _tokens.AsSpan(0, tokenValues), dense.Span, logits, cancellationToken);
        }

        public void Dispose()
        {
            if (isOwned) embedding.Dispose();
        }
    }
}
