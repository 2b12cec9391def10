using System.Text.Json;
using System.Text.Json.Serialization;

namespace SegmentAnything.Rle.Tests;

/// <summary>Both COCO forms, to and from JSON.</summary>
public class JsonTests
{
    private static readonly RleMask Mask = RleMask.FromCounts([2, 3, 1, 3, 3], 4, 3);

    [Fact]
    public void Mask_InCompressedForm_IsWrittenAndRead()
    {
        string json = JsonSerializer.Serialize(Mask, RleJsonContext.Default.RleMask);
        Assert.Equal("""{"size":[3,4],"counts":"23102"}""", json);
        Assert.Equal(Mask, JsonSerializer.Deserialize(json, RleJsonContext.Default.RleMask));
    }

    [Fact]
    public void Mask_InUncompressedForm_IsWrittenAndRead()
    {
        var options = new JsonSerializerOptions { Converters = { new RleMaskJsonConverter(CocoForm.Uncompressed) } };
        options.TypeInfoResolver = RleJsonContext.Default;
        var info = (System.Text.Json.Serialization.Metadata.JsonTypeInfo<RleMask>)options.GetTypeInfo(typeof(RleMask));
        string json = JsonSerializer.Serialize(Mask, info);
        Assert.Equal("""{"size":[3,4],"counts":[2,3,1,3,3]}""", json);
        Assert.Equal(Mask, JsonSerializer.Deserialize(json, RleJsonContext.Default.RleMask));
    }

    [Fact]
    public void Properties_InAnyOrderAndWithOthers_AreRead()
    {
        const string Json = """{"id":{"a":[1,{}]},"counts":[2,3,1,3,3],"more":"x","size":[3,4],"last":null}""";
        Assert.Equal(Mask, JsonSerializer.Deserialize(Json, RleJsonContext.Default.RleMask));
        Assert.Equal(Mask, JsonSerializer.Deserialize("""{"counts":"1","counts":"23102","size":[3,4]}""", RleJsonContext.Default.RleMask));
        Assert.Null(JsonSerializer.Deserialize("null", RleJsonContext.Default.RleMask));
    }

    [Fact]
    public void EveryMask_InBothForms_ComesBack()
    {
        foreach ((string name, _, RleMask mask) in MaskData.All(largest: 9000))
        {
            foreach (CocoForm form in Enum.GetValues<CocoForm>())
            {
                var converter = new RleMaskJsonConverter(form);
                using var stream = new MemoryStream();
                using (var writer = new Utf8JsonWriter(stream)) converter.Write(writer, mask, JsonSerializerOptions.Default);
                Assert.True(mask == JsonSerializer.Deserialize(stream.ToArray(), RleJsonContext.Default.RleMask), $"{name}, {form}");
            }
        }
    }

    [Fact]
    public void Masks_InAListAndAnObject_AreReadFromAStreamInSmallPieces()
    {
        RleMask[] masks = [.. MaskData.All(largest: 9000).Select(entry => entry.Mask)];
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(masks, RleJsonContext.Default.RleMaskArray);
        var options = new JsonSerializerOptions { DefaultBufferSize = 16, TypeInfoResolver = RleJsonContext.Default };
        var info = (System.Text.Json.Serialization.Metadata.JsonTypeInfo<RleMask[]>)options.GetTypeInfo(typeof(RleMask[]));
        using var stream = new MemoryStream(json);
        Assert.Equal(masks, JsonSerializer.Deserialize(stream, info));

        string annotation = JsonSerializer.Serialize(new Annotation(7, Mask), AnnotationContext.Default.Annotation);
        Assert.Equal("""{"Id":7,"Segmentation":{"size":[3,4],"counts":"23102"}}""", annotation);
        Assert.Equal(new Annotation(7, Mask), JsonSerializer.Deserialize(annotation, AnnotationContext.Default.Annotation));
    }
}

/// <summary>What an application would have.</summary>
internal sealed record Annotation(int Id, RleMask Segmentation);

[JsonSerializable(typeof(Annotation))]
internal sealed partial class AnnotationContext : JsonSerializerContext;
