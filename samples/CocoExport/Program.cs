// How do I store masks as COCO annotations, to be read by pycocotools or an annotation tool?
//   dotnet run OUTPUT.json PICTURE [PICTURE ...]
using System.Text.Encodings.Web;
using System.Text.Json;
using SegmentAnything;
using SegmentAnything.Imaging;

if (args is not [var output, _, ..])
{
    Console.Error.WriteLine("usage: CocoExport OUTPUT.json PICTURE [PICTURE ...]");
    return 2;
}

using SamModel sam = SamModel.Load(SamModels.MobileSam);
using FileStream file = File.Create(output);

// The masks' text has characters that are escaped by default for the sake of HTML.
using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
string[] paths = args[1..];
List<LoadedImage> pictures = [.. paths.Select(ImageFile.Load)];

json.WriteStartObject();
json.WriteStartArray("images");
for (int i = 0; i < paths.Length; i++)
{
    json.WriteStartObject();
    json.WriteNumber("id", i + 1);
    json.WriteString("file_name", Path.GetFileName(paths[i]));
    json.WriteNumber("width", pictures[i].Width);
    json.WriteNumber("height", pictures[i].Height);
    json.WriteEndObject();
}

json.WriteEndArray();
json.WriteStartArray("annotations");
int id = 0;
for (int i = 0; i < paths.Length; i++)
{
    foreach (GeneratedMask mask in sam.GenerateMasks(pictures[i].ToPixelBuffer(), AutomaticMaskOptions.Default with { PointsPerSide = 16 }))
        WriteAnnotation(++id, i + 1, mask);
    Console.WriteLine($"{paths[i]}: {id} annotations so far");
}

json.WriteEndArray();

// The model finds objects and does not name them: one category for all.
json.WriteStartArray("categories");
json.WriteStartObject();
json.WriteNumber("id", 1);
json.WriteString("name", "object");
json.WriteEndObject();
json.WriteEndArray();
json.WriteEndObject();
return 0;

void WriteAnnotation(int number, int image, GeneratedMask mask)
{
    json.WriteStartObject();
    json.WriteNumber("id", number);
    json.WriteNumber("image_id", image);
    json.WriteNumber("category_id", 1);
    json.WriteNumber("iscrowd", 0);
    json.WriteNumber("area", mask.Area);
    Write("bbox", mask.Mask.BoundingBox.X, mask.Mask.BoundingBox.Y, mask.Mask.BoundingBox.Width, mask.Mask.BoundingBox.Height);
    json.WriteStartObject("segmentation");
    Write("size", mask.Mask.Height, mask.Mask.Width);
    json.WriteString("counts", mask.Mask.ToCocoString());
    json.WriteEndObject();
    json.WriteNumber("predicted_iou", mask.PredictedIou);
    json.WriteNumber("stability_score", mask.StabilityScore);
    json.WriteEndObject();
}

void Write(string name, params ReadOnlySpan<int> numbers)
{
    json.WriteStartArray(name);
    foreach (int number in numbers) json.WriteNumberValue(number);
    json.WriteEndArray();
}
