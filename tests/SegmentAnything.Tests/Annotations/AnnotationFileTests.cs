using System.Text;
using System.Text.Json;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;
using SegmentAnything.Tests.Decoding;

namespace SegmentAnything.Tests.Annotations;

// One of them looks at the whole process's memory, so nothing else may run meanwhile.
[Collection(AllocationCollection.Name)]
public class AnnotationFileTests
{
    private static readonly RleMask Square = RleMask.FromCounts([9, 3, 5, 3, 5, 3, 36], 8, 8);

    [Fact]
    public void Sa1bWriter_OneMask_WritesTheFormOfTheDataSet()
    {
        var mask = new GeneratedMask(Square, 9, new Box(1, 1, 3, 3), 0.96875f, 0.984375f, 2.5, 3.25, new Box(0, 0, 8, 8));
        using var stream = new MemoryStream();
        using (var writer = Sa1bWriter.Create(stream, new Sa1bImage { ImageId = 7, Width = 8, Height = 8, FileName = "sa_7.jpg" }))
        {
            writer.Add(mask);
            writer.Complete();
        }

        Assert.Equal(
            """{"image":{"image_id":7,"width":8,"height":8,"file_name":"sa_7.jpg"},"annotations":[{"bbox":[1,1,2,2],"area":9,"segmentation":{"size":[8,8],"counts":"COUNTS"},"predicted_iou":0.96875,"point_coords":[[2.5,3.25]],"crop_box":[0,0,8,8],"id":1,"stability_score":0.984375}]}"""
                .Replace("COUNTS", Square.ToCocoString(), StringComparison.Ordinal),
            Encoding.UTF8.GetString(stream.ToArray()));
    }

    [Fact]
    public void Sa1b_WrittenAndRead_IsTheSame()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "sa_1.json");
        Sa1bAnnotation[] expected = [.. Enumerable.Range(0, 500).Select(i => RandomSa1b(new Random(i), i))];
        using (var writer = Sa1bWriter.Create(path, new Sa1bImage { ImageId = 1, Width = 40, Height = 30, FileName = "a \"quoted\" näme.jpg" }))
        {
            foreach (Sa1bAnnotation annotation in expected) writer.Add(annotation);
            Assert.False(File.Exists(path)); // not before it is complete
            writer.Complete();
        }

        using var reader = Sa1bReader.Open(path);
        Sa1bAnnotation[] found = [.. reader.ReadAnnotations()];
        Assert.Equal("a \"quoted\" näme.jpg", reader.Image!.FileName);
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < found.Length; i++)
        {
            Assert.Equal(expected[i].PointCoordinates, found[i].PointCoordinates);
            Assert.Equal(expected[i] with { PointCoordinates = [] }, found[i] with { PointCoordinates = [] });
        }

        Assert.Equal(AnnotationFormat.Sa1b, AnnotationFile.DetectFormat(path));
        Assert.Single(Directory.GetFiles(folder.Path)); // no temporary file stays
    }

    [Fact]
    public void Sa1bWriter_NotCompleted_LeavesTheOldFileAndNothingElse()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "sa_1.json");
        File.WriteAllText(path, "old");
        using (var writer = Sa1bWriter.Create(path, new Sa1bImage { Width = 8, Height = 8 }))
            writer.Add(new Sa1bAnnotation { Segmentation = Square });
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Coco_WrittenAndRead_IsTheSame()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "instances.json");
        CocoCategory[] categories = [new() { Id = 3, Name = "cat", Supercategory = "animal" }];
        CocoAnnotation[] expected =
        [
            CocoAnnotation.From(Square, 1, 10, 3),
            CocoAnnotation.From(Square, 2, 11, 3) with { IsCrowd = true },
            new CocoAnnotation { Id = 3, ImageId = 10, CategoryId = 3, Area = 10.5, BoundingBox = new PixelRectangle(473.07, 395.93, 38.65, 28.67),
                Segmentation = new CocoSegmentation([[1, 1, 5.5, 1, 5.5, 5], [0, 0, 1, 0, 1, 1]]) },
        ];
        using (var writer = CocoWriter.Create(path, categories))
        {
            writer.Add(new CocoImage { Id = 10, Width = 8, Height = 8, FileName = "x.png" });
            writer.Add(new CocoImage { Id = 11, Width = 8, Height = 8, FileName = "y.png" });
            foreach (CocoAnnotation annotation in expected) writer.Add(annotation);
            Assert.Throws<ArgumentException>(() => writer.Add(CocoAnnotation.From(Square, 9, 99, 3)));
            Assert.Throws<ArgumentException>(() => writer.Add(CocoAnnotation.From(RleMask.Empty(9, 8), 9, 10, 3)));
            Assert.Throws<ArgumentException>(() => writer.Add(new CocoImage { Id = 10, Width = 8, Height = 8 }));
            writer.Complete();
        }

        using var reader = CocoReader.Open(path);
        CocoAnnotation[] found = [.. reader.ReadAnnotations()];
        Assert.Equal(categories, reader.Categories.Values);
        Assert.Equal(["x.png", "y.png"], reader.Images.Values.Select(i => i.FileName));
        for (int i = 0; i < found.Length; i++)
        {
            Assert.Equal(expected[i].Segmentation.Mask, found[i].Segmentation.Mask);
            Assert.Equal(expected[i].Segmentation.Polygons, found[i].Segmentation.Polygons);
            Assert.Equal(expected[i] with { Segmentation = expected[0].Segmentation }, found[i] with { Segmentation = expected[0].Segmentation });
        }

        Assert.Equal(AnnotationFormat.Coco, AnnotationFile.DetectFormat(path));
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
        Assert.Equal(1, document.RootElement.GetProperty("annotations")[1].GetProperty("iscrowd").GetInt32());
    }

    [Fact]
    public void CocoReader_ForeignFile_ReadsEveryFormInAnyOrder()
    {
        const string Text = """
            {"info": {"year": 2017, "nested": [1, [2, {"images": []}]]}, "licenses": [{"id": 1}], "extra": null,
             "annotations": [
               {"segmentation": {"counts": [9, 3, 5, 3, 5, 3, 36], "size": [8, 8]}, "area": 9, "iscrowd": 1, "image_id": 2, "bbox": [1, 1, 3, 3], "category_id": 1, "id": 1},
               {"segmentation": [[1.0, 1.0, 4.0, 1.0, 4.0, 4.0, 1.0, 4.0]], "area": 9.0, "iscrowd": false, "image_id": 2, "bbox": [1, 1, 3, 3], "category_id": 1, "id": 2, "attributes": {"a": [1]}}],
             "images": [{"id": 2, "width": 8, "height": 8, "file_name": "b.jpg", "coco_url": "…"}], "categories": []}
            """;
        using var reader = CocoReader.Open(new DripStream(Encoding.UTF8.GetBytes(Text)));
        CocoAnnotation[] found = [.. reader.ReadAnnotations()];
        Assert.Equal(2, found.Length);
        Assert.Equal(Square, found[0].Segmentation.Mask);
        Assert.True(found[0].IsCrowd);
        Assert.Equal(Square, found[1].Segmentation.ToMask(8, 8));
        Assert.Equal("b.jpg", reader.Images[2].FileName);
        Assert.Throws<InvalidOperationException>(() => reader.ReadAnnotations());
    }

    [Fact]
    public void Sa1bReader_CutShortAnywhere_SaysSo()
    {
        using var whole = new MemoryStream();
        using (var writer = Sa1bWriter.Create(whole, new Sa1bImage { ImageId = 7, Width = 40, Height = 30 }))
        {
            for (int i = 0; i < 3; i++) writer.Add(RandomSa1b(new Random(i), i));
            writer.Complete();
        }

        byte[] bytes = whole.ToArray();
        for (int length = 0; length < bytes.Length; length++)
        {
            using var reader = Sa1bReader.Open(new MemoryStream(bytes, 0, length));
            var e = Assert.Throws<AnnotationFormatException>(() => reader.ReadAnnotations().Count());
            Assert.InRange(e.Position, 0, length);
        }
    }

    [Theory]
    [InlineData("[]", "object")]
    [InlineData("hello", "not JSON")]
    [InlineData("{\"annotations\":[]}", "no \"image\"")]
    [InlineData("{\"image\":{\"width\":3}}", "\"image\"")]
    [InlineData("{\"image\":null}", "null")]
    [InlineData("{\"annotations\":[{\"bbox\":[1,2,3]}]}", "rectangle")]
    [InlineData("{\"annotations\":[{\"area\":1}]}", "segmentation")]
    [InlineData("{\"annotations\":[{\"segmentation\":{\"size\":[2,2],\"counts\":\"zzzz\"}}]}", "malformed mask")]
    [InlineData("{\"annotations\":[17]}", "annotations")]
    public void Sa1bReader_MalformedFile_SaysWhatAndWhere(string text, string part)
    {
        using var reader = Sa1bReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(text)));
        var e = Assert.Throws<AnnotationFormatException>(() => reader.ReadAnnotations().Count());
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }

    // 200 MB of annotations out of a stream that makes them up; what stays alive is looked at on the way.
    [Fact]
    public void Sa1bReader_LongFile_NeedsLittleMemory()
    {
        byte[] annotation = JsonSerializer.SerializeToUtf8Bytes(RandomSa1b(new Random(1), 1) with
        {
            Segmentation = RleMask.FromBitmap([.. Enumerable.Range(0, 400 * 300).Select(i => (byte)(i % 7 == 0 ? 1 : 0))], 400, 300),
        });
        long repeats = 200_000_000 / annotation.Length;
        long before = GC.GetTotalMemory(forceFullCollection: true);
        using var reader = Sa1bReader.Open(new RepeatingStream(
            "{\"image\":{\"width\":400,\"height\":300},\"annotations\":["u8.ToArray(), [.. annotation, (byte)','], [.. annotation, (byte)']', (byte)'}'], repeats));
        long count = 0;
        foreach (Sa1bAnnotation _ in reader.ReadAnnotations())
        {
            if (++count % 500 == 0) Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 20_000_000);
        }

        Assert.Equal(repeats + 1, count);
    }

    [Fact]
    public void DetectFormat_SomethingElse_SaysWhatWasExpected()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "x.json");
        File.WriteAllText(path, "{\"a\": 1}");
        Assert.Contains("SA-1B", Assert.Throws<AnnotationFormatException>(() => AnnotationFile.DetectFormat(path)).Message, StringComparison.Ordinal);
    }

    private static Sa1bAnnotation RandomSa1b(Random random, int id)
    {
        byte[] pixels = new byte[40 * 30];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)(random.Next(4) == 0 ? 1 : 0);
        RleMask mask = RleMask.FromBitmap(pixels, 40, 30);
        return new Sa1bAnnotation
        {
            Segmentation = mask,
            Area = mask.Area,
            BoundingBox = new PixelRectangle(random.Next(40), random.Next(30), random.NextDouble(), random.Next()),
            PredictedIou = random.NextSingle(),
            StabilityScore = random.NextSingle(),
            PointCoordinates = [[random.NextDouble() * 40, random.NextDouble() * 30]],
            CropBox = new PixelRectangle(0, 0, 40, 30),
            Id = id,
        };
    }

    /// <summary>Gives a few bytes at a time, so that every token is cut somewhere.</summary>
    private sealed class DripStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(3, buffer.Length)]);
    }

    private sealed class RepeatingStream(byte[] head, byte[] body, byte[] tail, long repeats) : Stream
    {
        private byte[] _current = head;
        private int _offset;
        private long _left = repeats;
        private bool _inTail;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            if (_offset == _current.Length)
            {
                if (_inTail) return 0;
                _inTail = _left-- == 0;
                _current = _inTail ? tail : body;
                _offset = 0;
            }

            int count = Math.Min(buffer.Length, _current.Length - _offset);
            _current.AsSpan(_offset, count).CopyTo(buffer);
            _offset += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
