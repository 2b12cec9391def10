using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>
/// What one model of the Segment Anything family is: its sizes, its normalisation, its files. Data only: to use another
/// model of the same architecture, make one of these. <see cref="SamModels"/> has the published ones.
/// </summary>
/// <remarks>Source: Segment Anything, build_sam.py.</remarks>
public sealed record SamVariant
{
    /// <summary>Its name in commands and in the model store, such as <c>mobile-sam</c>: lower case, no spaces.</summary>
    public required string Name { get; init; }

    /// <summary>Its name in prose, such as <c>MobileSAM</c>.</summary>
    public required string DisplayName { get; init; }

    /// <summary>What it is good for, in a few words. Default: empty.</summary>
    public string Description { get; init; } = "";

    /// <summary>The side of the square frame that an image is brought to, in pixels. Default: 1024.</summary>
    public int ImageSize { get; init; } = 1024;

    /// <summary>How an image that is not square becomes one. Default: <see cref="PictureFit.Pad"/>.</summary>
    public PictureFit Fit { get; init; } = PictureFit.Pad;

    /// <summary>Channels of the image embedding. Default: 256.</summary>
    public int EmbeddingChannels { get; init; } = 256;

    /// <summary>Rows, and columns, of the image embedding. Default: 64, one for each 16 x 16 pixels.</summary>
    public int EmbeddingGrid { get; init; } = 64;

    /// <summary>Subtracted from red, green and blue, each 0 to 255. Default: ImageNet's mean.</summary>
    public ImmutableArray<float> PixelMean { get; init; } = [123.675f, 116.28f, 103.53f];

    /// <summary>Divides red, green and blue after <see cref="PixelMean"/>. Default: ImageNet's standard deviation.</summary>
    public ImmutableArray<float> PixelStd { get; init; } = [58.395f, 57.12f, 57.375f];

    /// <summary>Its files; either an encoder and a decoder, or a checkpoint.</summary>
    public required ImmutableArray<ModelFile> Files { get; init; }

    /// <summary>The licence of its weights, as an SPDX expression.</summary>
    public required string License { get; init; }

    /// <summary>Where it was published.</summary>
    public required Uri Source { get; init; }

    /// <summary>The file of a role, or null if this model has none.</summary>
    /// <param name="role">What the file is for.</param>
    public ModelFile? FindFile(ModelFileRole role) => Files.FirstOrDefault(f => f.Role == role);

    /// <summary>Gives <see cref="DisplayName"/>.</summary>
    public override string ToString() => DisplayName;
}
