using System.Text.Json;
using System.Text.RegularExpressions;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam1;

public partial class HuggingFaceNamesTests
{
    [Theory]
    [InlineData("vision_encoder.pos_embed", "image_encoder.pos_embed")]
    [InlineData("vision_encoder.patch_embed.projection.weight", "image_encoder.patch_embed.proj.weight")]
    [InlineData("vision_encoder.layers.11.layer_norm1.weight", "image_encoder.blocks.11.norm1.weight")]
    [InlineData("vision_encoder.layers.0.attn.rel_pos_h", "image_encoder.blocks.0.attn.rel_pos_h")]
    [InlineData("vision_encoder.neck.layer_norm2.bias", "image_encoder.neck.3.bias")]
    [InlineData("prompt_encoder.shared_embedding.positional_embedding", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix")]
    [InlineData("prompt_encoder.point_embed.3.weight", "prompt_encoder.point_embeddings.3.weight")]
    [InlineData("prompt_encoder.mask_embed.conv3.bias", "prompt_encoder.mask_downscaling.6.bias")]
    [InlineData("mask_decoder.transformer.layers.1.layer_norm4.bias", "mask_decoder.transformer.layers.1.norm4.bias")]
    [InlineData("mask_decoder.transformer.layer_norm_final_attn.weight", "mask_decoder.transformer.norm_final_attn.weight")]
    [InlineData("mask_decoder.upscale_conv2.weight", "mask_decoder.output_upscaling.3.weight")]
    [InlineData("mask_decoder.output_hypernetworks_mlps.2.proj_in.weight", "mask_decoder.output_hypernetworks_mlps.2.layers.0.weight")]
    [InlineData("mask_decoder.output_hypernetworks_mlps.2.layers.0.weight", "mask_decoder.output_hypernetworks_mlps.2.layers.1.weight")]
    [InlineData("mask_decoder.output_hypernetworks_mlps.2.proj_out.weight", "mask_decoder.output_hypernetworks_mlps.2.layers.2.weight")]
    public void Map_HuggingFaceName_IsTheOfficialOne(string huggingFace, string official)
    {
        // The MLP's hidden layer must be there for its last layer to have a number.
        string[] names = [huggingFace, "mask_decoder.output_hypernetworks_mlps.2.layers.0.bias", "vision_encoder.neck.conv1.weight"];
        Assert.Equal(official, HuggingFaceNames.ToOfficial(names)[0]);
    }

    [Fact]
    public void Map_EveryNameOfAModelAsTransformersWritesIt_IsTheOfficialOne()
    {
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(TestPaths.RequireGolden("tiny", "tiny_b", "manifest.json")));
        string[] official = [.. manifest.RootElement.GetProperty("state_dict").EnumerateObject().Select(t => t.Name)];
        string[] huggingFace = [.. official.Select(ToHuggingFace)];

        Assert.All(huggingFace.Zip(official), pair => Assert.True(pair.First != pair.Second || SharedName().IsMatch(pair.First), pair.First));
        Assert.Equal(official, HuggingFaceNames.ToOfficial(huggingFace));
    }

    [Fact]
    public void AreHuggingFace_OfficialNames_IsFalse()
    {
        string[] names = ["image_encoder.neck.0.weight", "mask_decoder.iou_prediction_head.layers.0.weight"];
        Assert.False(HuggingFaceNames.AreHuggingFace(names));
    }

    [Fact]
    public void Map_PositionsOnlyInTheSharedCopy_AreTakenFromThere()
    {
        Assert.Equal(
            ["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"],
            HuggingFaceNames.ToOfficial(["shared_image_embedding.positional_embedding"]));
    }

    // The other direction, as a list of replacements in order: independent of the table under test.
    internal static string ToHuggingFace(string name)
    {
        name = Hypernetwork().Replace(name, m => m.Groups[1].Value + m.Groups[2].Value switch { "0" => "proj_in", "1" => "layers.0", _ => "proj_out" });
        (string From, string To)[] replacements =
        [
            ("mask_decoder.output_upscaling.0", "mask_decoder.upscale_conv1"),
            ("mask_decoder.output_upscaling.1", "mask_decoder.upscale_layer_norm"),
            ("mask_decoder.output_upscaling.3", "mask_decoder.upscale_conv2"),
            ("mask_downscaling.0", "mask_embed.conv1"),
            ("mask_downscaling.1", "mask_embed.layer_norm1"),
            ("mask_downscaling.3", "mask_embed.conv2"),
            ("mask_downscaling.4", "mask_embed.layer_norm2"),
            ("mask_downscaling.6", "mask_embed.conv3"),
            ("point_embeddings", "point_embed"),
            ("pe_layer.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
            ("image_encoder", "vision_encoder"),
            ("neck.0", "neck.conv1"),
            ("neck.1", "neck.layer_norm1"),
            ("neck.2", "neck.conv2"),
            ("neck.3", "neck.layer_norm2"),
            ("patch_embed.proj", "patch_embed.projection"),
            (".norm", ".layer_norm"),
            ("blocks", "layers"),
        ];
        return replacements.Aggregate(name, (text, r) => text.Replace(r.From, r.To, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head)\.)layers\.(\d)")]
    private static partial Regex Hypernetwork();

    // What both layouts call the same.
    [GeneratedRegex(@"^(prompt_encoder\.(not_a_point_embed|no_mask_embed)|mask_decoder\.(iou_token|mask_tokens|transformer))\.")]
    private static partial Regex SharedName();
}
