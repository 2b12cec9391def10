using System.Diagnostics;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Annotations.Tests;

/// <summary>Nothing that is read is written over, nothing is waited for, and work is in proportion to the file.</summary>
public class SafetyTests
{
    private static readonly AnnotationFormat Coco = AnnotationFormat.Find("coco");

    [Fact]
    public void Convert_OverAFileThatIsRead_IsRefusedByWhateverName()
    {
        using var folder = new TemporaryFolder();
        string data = Directory.CreateDirectory(Path.Combine(folder.Path, "data")).FullName, path = Path.Combine(data, "a.json");
        Save(path, Make.Square);
        byte[] before = File.ReadAllBytes(path);

        // The image is a.png, so its labelme file would be a.json.
        Refused(path, Coco, data, "labelme");
        // What is read of a folder.
        Refused(data, Coco, path, "coco", data);
        if (!OperatingSystem.IsWindows())
        {
            string link = Path.Combine(folder.Path, "link");
            Directory.CreateSymbolicLink(link, data);
            Refused(path, Coco, Path.Combine(link, "a.json"), "coco");
            Refused(path, Coco, link, "labelme");
        }

        // Another file of the same folder is nobody's.
        AnnotationConversion.Convert(path, Coco, data, AnnotationFormat.Find("yolo"));
        Assert.True(File.Exists(Path.Combine(data, "labels", "a.txt")));
        // A format whose images have folders.
        string masks = Path.Combine(folder.Path, "masks");
        AnnotationConversion.Convert(path, Coco, masks, AnnotationFormat.Find("amg-folder"));
        string table = File.ReadAllText(Path.Combine(masks, "a", "metadata.csv"));
        Refused(Path.Combine(masks, "a"), AnnotationFormat.Find("amg-folder"), masks, "amg-folder");
        Assert.Equal(table, File.ReadAllText(Path.Combine(masks, "a", "metadata.csv")));

        void Refused(string input, AnnotationFormat from, string output, string to, string? read = null)
        {
            if (read is not null) from = AnnotationFormat.Find("sa-1b");
            ArgumentException error = Assert.Throws<ArgumentException>(() => AnnotationConversion.Convert(input, from, output, AnnotationFormat.Find(to)));
            Assert.Contains("what is read", error.Message, StringComparison.Ordinal);
            Assert.Equal(before, File.ReadAllBytes(path));
        }
    }

    [Fact]
    public void Pipes_AreRefusedAtOnce_AsInputs()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such pipes.");
        using var folder = new TemporaryFolder();
        string pipe = Path.Combine(folder.Path, "a.json");
        using (Process make = Process.Start("mkfifo", [pipe])) make.WaitForExit();
        // Nobody writes into it: to open it would wait for ever.
        Assert.Contains("pipe", Assert.Throws<IOException>(() => AnnotationFormat.Detect(pipe)).Message, StringComparison.Ordinal);
        foreach (AnnotationFormat format in AnnotationFormat.All.Where(f => f.CanRead))
        {
            Assert.ThrowsAny<Exception>(() =>
            {
                using AnnotationReader reader = format.OpenRead(pipe, new AnnotationReadOptions { Size = (8, 8) });
                foreach (ImageAnnotations _ in reader.ReadImages())
                {
                }
            });
        }

        Assert.Contains("device", Assert.Throws<IOException>(() => AnnotationFormat.Detect("/dev/zero")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_AreWrittenTo_AsOutputs()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no such device.");
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.json");
        Save(path, Make.Square);
        foreach (AnnotationFormat format in AnnotationFormat.All.Where(f => f.CanWrite && f.Name is not ("amg-folder" or "yolo")))
            Assert.Equal(1, AnnotationConversion.Convert(path, Coco, "/dev/null", format).Masks);
        Assert.Empty(File.ReadAllBytes("/dev/null"));
    }

    // Masks of 2 billion pixels in some bytes: measured by their runs, refused where each column would be gone through.
    [Theory]
    [InlineData(int.MaxValue, 1)]
    [InlineData(1, int.MaxValue)]
    [InlineData(32767, 65535)]
    public void HostileSizes_EndQuickly(int width, int height)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.json");
        Save(path, RleMask.Full(width, height));
        var statistics = new MaskStatistics();
        using (AnnotationReader reader = Coco.OpenRead(path)) statistics.Add(reader, TestContext.Current.CancellationToken);
        Assert.Equal(0, statistics.Concavity.Most);
        Assert.Equal(1, statistics.RelativeSize.Most);
        foreach (AnnotationFormat format in AnnotationFormat.All.Where(f => f.CanWrite && f.Name is not ("amg-folder" or "label-map")))
        {
            try
            {
                AnnotationConversion.Convert(path, Coco, Path.Combine(folder.Path, format.Name), format, cancellationToken: TestContext.Current.CancellationToken);
            }
            catch (Exception e) when (e is RleFormatException or ArgumentException)
            {
                Assert.DoesNotContain("Index was", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Cancelled_WithinAPolygon_Stops()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.json");
        // Some thousand times from one side to the other: as many crossings as are drawn at all.
        string points = string.Join(',', Enumerable.Range(0, 900).Select(i => $"{(i % 2 == 0 ? 0 : 30000)},{i * 30}"));
        File.WriteAllText(path, "{\"images\":[{\"id\":1,\"width\":30000,\"height\":30000}],\"annotations\":[{\"id\":1,\"image_id\":1,\"segmentation\":[[" + points + "]]}],\"categories\":[]}");
        using var cancelled = new CancellationTokenSource(TimeSpan.FromMilliseconds(1));
        using AnnotationReader reader = Coco.OpenRead(path);
        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            while (!cancelled.IsCancellationRequested) Thread.Yield();
            foreach (ImageAnnotations _ in reader.ReadImages(cancelled.Token))
            {
            }
        });
    }

    private static void Save(string path, RleMask mask)
    {
        using var writer = CocoWriter.Create(path, [new AnnotationCategory { Id = 1, Name = "cup" }]);
        writer.Add(new AnnotationImage { Id = 1, FileName = "a.png", Width = mask.Width, Height = mask.Height });
        writer.Add(Annotation.From(mask, 1, 1, 1));
        writer.Complete();
    }
}
