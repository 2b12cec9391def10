// How do I store masks as COCO annotations, to be read by pycocotools or an annotation tool?
//   dotnet run OUTPUT.json PICTURE [PICTURE ...]
using SegmentAnything;
using SegmentAnything.Annotations;
using SegmentAnything.Imaging;

if (args is not [var output, _, ..])
{
    Console.Error.WriteLine("usage: CocoExport OUTPUT.json PICTURE [PICTURE ...]");
    return 2;
}

using SamModel sam = SamModel.Load(SamModels.MobileSam);

// The model finds objects and does not name them: one category for all.
AnnotationCategory category = new() { Id = 1, Name = "object" };

// The file appears when it is complete; a picture that cannot be read leaves no half of one behind.
using var coco = CocoWriter.Create(output, [category]);
long annotations = 0;
for (int i = 1; i < args.Length; i++)
{
    LoadedImage picture = ImageFile.Load(args[i]);
    AnnotationImage image = new() { Id = i, FileName = Path.GetFileName(args[i]), Width = picture.Width, Height = picture.Height };
    coco.Add(image);
    foreach (GeneratedMask mask in sam.GenerateMasks(picture.ToPixelBuffer(), AutomaticMaskOptions.Default with { PointsPerSide = 16 }))
        coco.Add(mask.ToAnnotation(++annotations, image.Id, category.Id));
    Console.WriteLine($"{args[i]}: {annotations} annotations so far");
}

coco.Complete();
return 0;
