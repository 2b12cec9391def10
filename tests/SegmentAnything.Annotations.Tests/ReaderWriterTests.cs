using System.Text;
using System.Text.Json;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Annotations.Tests;

/// <summary>The readers and writers of the two large formats, an annotation at a time.</summary>
[Collection(MemoryCollection.Name)]
public class ReaderWriterTests
{
    private static readonly RleMask Square = Make.Square;

    [Fact]
    public void Sa1bWriter_OneMask_WritesTheFormOfTheDataSet()
    {
        Annotation mask = Annotation.From(Square) with
        {
            PredictedIou = 0.96875,
            StabilityScore = 0.984375,
            Points = [new MaskPoint(2.5, 3.25)],
            CropBox = new PixelRectangle(0, 0, 8, 8),
        };
        using var stream = new MemoryStream();
        using (var writer = Sa1bWriter.Create(stream, new AnnotationImage { Id = 7, Width = 8, Height = 8, FileName = "sa_7.jpg" }))
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
        Annotation[] expected = [.. Enumerable.Range(0, 500).Select(i => RandomSa1b(new Random(i), i))];
        using (var writer = Sa1bWriter.Create(path, new AnnotationImage { Id = 1, Width = 40, Height = 30, FileName = "a \"quoted\" näme.jpg" }))
        {
            foreach (Annotation annotation in expected) writer.Add(annotation);
            Assert.False(File.Exists(path)); // not before it is complete
            writer.Complete();
        }

        using var reader = Sa1bReader.Open(path);
        Annotation[] found = [.. reader.ReadAnnotations()];
        Assert.Equal("a \"quoted\" näme.jpg", reader.Image!.FileName);
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < found.Length; i++)
        {
            Assert.Equal(expected[i].Points, found[i].Points);
            Assert.Equal(expected[i] with { Points = [] }, found[i] with { Points = [], ImageId = 0 });
        }

        Assert.Equal("sa-1b", AnnotationFormat.Detect(path).Name);
        Assert.Single(Directory.GetFiles(folder.Path)); // no temporary file stays
    }

    [Fact]
    public void Sa1bWriter_NotCompleted_LeavesTheOldFileAndNothingElse()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "sa_1.json");
        File.WriteAllText(path, "old");
        using (var writer = Sa1bWriter.Create(path, new AnnotationImage { Width = 8, Height = 8 }))
            writer.Add(Annotation.From(Square));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Coco_WrittenAndRead_IsTheSame()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "instances.json");
        AnnotationCategory[] categories = [new() { Id = 3, Name = "cat", Supercategory = "animal" }];
        double[][] polygons = [[1, 1, 5.5, 1, 5.5, 5], [0, 0, 1, 0, 1, 1]];
        Annotation[] expected =
        [
            Annotation.From(Square, 1, 10, 3),
            Annotation.From(Square, 2, 11, 3) with { IsCrowd = true },
            new Annotation { Id = 3, ImageId = 10, CategoryId = 3, Area = 10.5, Box = new PixelRectangle(473.07, 395.93, 38.65, 28.67),
                Mask = RleMask.FromPolygons(polygons, 8, 8), Polygons = polygons },
            new Annotation { Id = 4, ImageId = 10, CategoryId = 3, Area = 12, Box = new PixelRectangle(1, 2, 3, 4), Score = 0.25 },
        ];
        using (var writer = CocoWriter.Create(path, categories))
        {
            writer.Add(new AnnotationImage { Id = 10, Width = 8, Height = 8, FileName = "x.png" });
            writer.Add(new AnnotationImage { Id = 11, Width = 8, Height = 8, FileName = "y.png" });
            foreach (Annotation annotation in expected) writer.Add(annotation);
            Assert.False(File.Exists(path));
            writer.Complete();
            Assert.Throws<InvalidOperationException>(() => writer.Complete());
        }

        using var reader = CocoReader.Open(path);
        Annotation[] found = [.. reader.ReadAnnotations()];
        Assert.Equal(categories, reader.Categories.Values);
        Assert.Equal(["x.png", "y.png"], reader.Images.Values.Select(i => i.FileName));
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < found.Length; i++)
        {
            Assert.Equal(expected[i].Polygons, found[i].Polygons);
            Assert.Equal(expected[i] with { Polygons = null, Points = [] }, found[i] with { Polygons = null, Points = [] });
        }

        Assert.Equal("coco", AnnotationFormat.Detect(path).Name);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
        Assert.Equal(1, document.RootElement.GetProperty("annotations")[1].GetProperty("iscrowd").GetInt32());
    }

    [Fact]
    public void CocoWriter_WhatReadersWouldStumbleOver_IsRefused()
    {
        using var stream = new MemoryStream();
        using var writer = CocoWriter.Create(stream, [new AnnotationCategory { Id = 3 }]);
        writer.Add(new AnnotationImage { Id = 10, Width = 8, Height = 8 });
        writer.Add(Annotation.From(Square, 5, 10, 3));
        Refused("image of number 99", Annotation.From(Square, 9, 99, 3));
        Refused("9x8", Annotation.From(RleMask.Empty(9, 8), 9, 10, 3));
        Refused("annotation of number 5", Annotation.From(Square, 5, 10, 3));
        Refused("no category of number 4", Annotation.From(Square, 9, 10, 4));
        Refused("no category", Annotation.From(Square, 9, 10));
        Refused("score of annotation 9 is NaN", Annotation.From(Square, 9, 10, 3) with { Score = double.NaN });
        Refused("area", Annotation.From(Square, 9, 10, 3) with { Area = double.PositiveInfinity });
        Refused("Polygon 0", Annotation.From(Square, 9, 10, 3) with { Polygons = [[1, 1, 2, 2]] });
        Refused("NaN", Annotation.From(Square, 9, 10, 3) with { Polygons = [[1, 1, 2, 2, double.NaN, 3]] });
        Assert.Throws<ArgumentException>(() => writer.Add(new AnnotationImage { Id = 10, Width = 8, Height = 8 }));
        Assert.Throws<ArgumentException>(() => writer.Add(new AnnotationImage { Id = 11 }));
        Assert.Throws<ArgumentException>(() => writer.Add(new AnnotationCategory { Id = 4 }));
        writer.Add(Annotation.From(Square, null, 10, 3)); // refusals leave the file as it was
        writer.Complete();
        stream.Position = 0;
        using var reader = CocoReader.Open(stream);
        Assert.Equal([5L, 6L], reader.ReadAnnotations().Select(a => a.Id!.Value));

        void Refused(string part, Annotation annotation) =>
            Assert.Contains(part, Assert.Throws<ArgumentException>(() => writer.Add(annotation)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CocoWriter_ImagesGivenFirst_StandBeforeTheAnnotations()
    {
        using var stream = new MemoryStream();
        using (var writer = CocoWriter.Create(stream, [new AnnotationCategory { Id = 3, Name = "cat" }], new CocoWriterOptions
        {
            Images = [new AnnotationImage { Id = 10, Width = 8, Height = 8 }],
            Other = new Dictionary<string, JsonElement> { ["info"] = JsonDocument.Parse("{\"year\":2026}").RootElement },
        }))
        {
            Assert.Throws<ArgumentException>(() => writer.Add(new AnnotationImage { Id = 11, Width = 8, Height = 8 }));
            writer.Add(Annotation.From(Square, 5, 10, 3));
            writer.Complete();
        }

        using JsonDocument json = JsonDocument.Parse(stream.ToArray());
        Assert.Equal(["info", "images", "categories", "annotations"], json.RootElement.EnumerateObject().Select(p => p.Name));
        Assert.Equal(2026, json.RootElement.GetProperty("info").GetProperty("year").GetInt32());
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
        Annotation[] found = [.. reader.ReadAnnotations()];
        Assert.Equal(2, found.Length);
        Assert.Equal(Square, found[0].Mask);
        Assert.True(found[0].IsCrowd);
        Assert.Equal(Square, found[1].Mask);
        Assert.Equal(2017, reader.Other["info"].GetProperty("year").GetInt32());
        Assert.Equal(1, reader.Other["licenses"].GetArrayLength());
        Assert.Equal("b.jpg", reader.Images[2].FileName);
        Assert.Throws<InvalidOperationException>(() => reader.ReadAnnotations());
    }

    [Fact]
    public void Sa1bReader_CutShortAnywhere_SaysSo()
    {
        using var whole = new MemoryStream();
        using (var writer = Sa1bWriter.Create(whole, new AnnotationImage { Id = 7, Width = 40, Height = 30 }))
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

    [Fact]
    public void Sa1bReader_AnnotationsFirstInAStreamThatIsReadOnce_SaysSo()
    {
        using var reader = Sa1bReader.Open(new RepeatingStream("{\"annotations\":["u8.ToArray(), "{},"u8.ToArray(), "{}]}"u8.ToArray(), 1));
        Assert.Contains("give a file", Assert.Throws<AnnotationFormatException>(() => reader.ReadAnnotations().Count()).Message, StringComparison.Ordinal);
    }

    // Each place where the buffer may end, inside of the words that JSON does not have.
    [Fact]
    public void NotFiniteNumbers_WhereverTheBufferEnds_AreUnknown()
    {
        byte[] text = Encoding.UTF8.GetBytes("""{"image":{"width":8,"height":8,"x\"NaN":[NaN,-Infinity,Infinity]},"annotations":[{"segmentation":{"size":[8,8],"counts":[64]},"area":-Infinity,"predicted_iou":NaN,"stability_score":0.5,"note":"NaN -Infinity \\"}]}""");
        for (int step = 1; step < 40; step++)
        {
            using var reader = Sa1bReader.Open(new DripStream(text, step));
            Annotation annotation = Assert.Single(reader.ReadAnnotations());
            Assert.Equal((null, null, 0.5), (annotation.Area, annotation.PredictedIou, annotation.StabilityScore));
            Assert.Equal("NaN -Infinity \\", annotation.Other["note"].GetString());
            Assert.Equal("[null,null     ,null     ]".Replace(" ", ""), reader.Image!.Other["x\"NaN"].GetRawText().Replace(" ", ""));
        }
    }

    [Fact]
    public void Readers_Cancelled_Stop()
    {
        using var cancelled = new CancellationTokenSource();
        using var reader = Sa1bReader.Open(new RepeatingStream("{\"image\":{\"width\":8,\"height\":8},\"annotations\":["u8.ToArray(), "{},"u8.ToArray(), "{}]}"u8.ToArray(), 1000));
        int read = 0;
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (Annotation _ in reader.ReadAnnotations(cancelled.Token))
            {
                if (++read == 3) cancelled.Cancel();
            }
        });
        Assert.Equal(3, read);
    }

    // 200 MB of annotations out of a stream that makes them up; what stays alive is looked at on the way.
    [Fact]
    public void Sa1bReader_LongFile_NeedsLittleMemory()
    {
        RleMask mask = RleMask.FromBitmap([.. Enumerable.Range(0, 400 * 300).Select(i => (byte)(i % 7 == 0 ? 1 : 0))], 400, 300);
        byte[] annotation = Encoding.UTF8.GetBytes($"{{\"segmentation\":{{\"size\":[300,400],\"counts\":{JsonSerializer.Serialize(mask.ToCocoString())}}},\"id\":1}}");
        long repeats = 200_000_000 / annotation.Length;
        long before = GC.GetTotalMemory(forceFullCollection: true);
        using var reader = Sa1bReader.Open(new RepeatingStream(
            "{\"image\":{\"width\":400,\"height\":300},\"annotations\":["u8.ToArray(), [.. annotation, (byte)','], [.. annotation, (byte)']', (byte)'}'], repeats));
        long count = 0;
        foreach (Annotation _ in reader.ReadAnnotations())
        {
            if (++count % 500 == 0) Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 20_000_000);
        }

        Assert.Equal(repeats + 1, count);
    }

    private static Annotation RandomSa1b(Random random, int id)
    {
        byte[] pixels = new byte[40 * 30];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)(random.Next(4) == 0 ? 1 : 0);
        RleMask mask = RleMask.FromBitmap(pixels, 40, 30);
        return new Annotation
        {
            Mask = mask,
            Area = mask.Area,
            Box = new PixelRectangle(random.Next(40), random.Next(30), random.Next(40), random.Next(30)),
            PredictedIou = random.NextDouble(),
            StabilityScore = random.NextDouble(),
            Points = [new MaskPoint(random.NextDouble() * 40, random.NextDouble() * 30)],
            CropBox = new PixelRectangle(0, 0, 40, 30),
            Id = id,
        };
    }

    /// <summary>Gives a few bytes at a time, so that every token is cut somewhere.</summary>
    private sealed class DripStream(byte[] bytes, int step = 3) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(step, buffer.Length)]);
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

/// <summary>Tests that look at the whole process's memory: nothing else runs meanwhile.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class MemoryCollection
{
    public const string Name = "memory";
}
