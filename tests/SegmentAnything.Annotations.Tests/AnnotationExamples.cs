using System.Text.RegularExpressions;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Annotations.Tests;

/// <summary>The examples of docs/annotations.md and of the package's README, as they stand there.</summary>
public partial class AnnotationExamples
{
    [Fact]
    public void Writer_AndReadmeOfThePackage()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "instances.json"), labels = Path.Combine(folder.Path, "labels");
        RleMask mask = Make.Square;
        (int width, int height) = (mask.Width, mask.Height);
        Write();
        Assert.Equal((1, 1), (Read().Masks, Directory.GetFiles(Path.Combine(labels, "labels")).Length));

        void Write()
        {
            // example: cocoWriter
            using var coco = CocoWriter.Create(path, [new AnnotationCategory { Id = 1, Name = "cup" }]);
            coco.Add(new AnnotationImage { Id = 1, FileName = "photo.jpg", Width = width, Height = height });
            coco.Add(Annotation.From(mask, imageId: 1, categoryId: 1));
            coco.Complete();
            // end
        }

        AnnotationConversionResult Read()
        {
            // README
            AnnotationFormat format = AnnotationFormat.Detect(path);
            using AnnotationReader reader = format.OpenRead(path);
            foreach (ImageAnnotations image in reader.ReadImages())
            {
                foreach (Annotation annotation in image.Annotations)
                    Console.WriteLine($"{image.Image.FileName}: {annotation.Mask?.Area} pixels of category {annotation.CategoryId}");
            }

            AnnotationConversionResult done = AnnotationConversion.Convert(path, format, labels, AnnotationFormat.Find("yolo"));
            Console.WriteLine($"{done.Masks} masks\n{done.Losses}"); // what YOLO has no place for, counted
            // end
            return done;
        }
    }

    [Fact]
    public void Readme_ShowsTheCompiledCode()
    {
        string tests = Path.Combine(TestPaths.Repository, "tests", "SegmentAnything.Annotations.Tests", "AnnotationExamples.cs");
        string code = Compiled().Match(File.ReadAllText(tests).ReplaceLineEndings("\n")).Groups[1].Value.Replace("\n            ", "\n", StringComparison.Ordinal).Trim();
        string readme = File.ReadAllText(Path.Combine(TestPaths.Repository, "src", "SegmentAnything.Annotations", "README.md")).ReplaceLineEndings("\n");
        Assert.NotEmpty(code);
        Assert.Contains($"```csharp\n{code}\n```", readme, StringComparison.Ordinal);
    }

    [GeneratedRegex("// README\n(.*?)\n *// end", RegexOptions.Singleline)]
    private static partial Regex Compiled();
}
