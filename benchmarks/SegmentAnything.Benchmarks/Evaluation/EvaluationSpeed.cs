using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Evaluation;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Evaluation;

/// <summary>
/// COCO's average precision beside the official Python API on the same files, and BSDS500's edge scores, both on sets of the real
/// ones' size that are drawn at random.
/// </summary>
internal static class EvaluationSpeed
{
    private const string ApiVariable = "SEGMENTANYTHING_COCOAPI";
    private const int Categories = 80, PerImage = 100;

    // Prints seconds to load and to evaluate, and the summary. What the API draws with is not needed.
    private const string Script = """
        import sys, time, json, io, contextlib
        from unittest import mock
        sys.path.insert(0, sys.argv[1])
        for name in ('matplotlib', 'matplotlib.pyplot', 'matplotlib.collections', 'matplotlib.patches'):
            sys.modules[name] = mock.MagicMock()
        import numpy
        numpy.float = float
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
        with contextlib.redirect_stdout(io.StringIO()):
            start = time.time()
            truth = COCO(sys.argv[2])
            found = truth.loadRes(sys.argv[3])
            loaded = time.time()
            evaluation = COCOeval(truth, found, 'segm')
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            done = time.time()
        print(json.dumps([loaded - start, done - loaded] + list(evaluation.stats)))
        """;

    /// <summary>Writes a Markdown table to the console and to the results.</summary>
    /// <param name="arguments">The number of images of COCO's set (5000), of pictures of BSDS' (200).</param>
    public static int Run(string[] arguments)
    {
        int images = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : 5000;
        int pictures = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : 200;
        var page = new ResultPage("EvaluationSpeed");
        page.Say($"{ResultPage.Machine}, {ResultPage.Vectors}.");
        page.Say("");
        if (images > 0) CompareInstances(page, images);
        if (pictures > 0) TimeEdges(page, pictures);
        page.Save();
        return 0;
    }

    private static void CompareInstances(ResultPage page, int images)
    {
        string folder = Directory.CreateTempSubdirectory("evaluation-speed").FullName;
        try
        {
            string truthFile = Path.Combine(folder, "truth.json"), foundFile = Path.Combine(folder, "found.json");
            WriteInstances(truthFile, foundFile, images);
            (double load, double evaluate, double[] numbers) = Ours(truthFile, foundFile);
            page.Say($"Average precision of masks, {images} images of 640x480, {PerImage} detections each, from JSON files:");
            page.Say("");
            page.Say("| | reading | comparing | together |");
            page.Say("|---|---:|---:|---:|");
            page.Say(Line($"| ours | {load:0.0} s | {evaluate:0.0} s | {load + evaluate:0.0} s |"));
            if (Environment.GetEnvironmentVariable(ApiVariable) is not { Length: > 0 } api)
            {
                page.Say($"| official Python API | skipped: {ApiVariable} does not name its folder | | |");
                page.Say("");
                return;
            }

            double[] official = Python(folder, api, truthFile, foundFile);
            page.Say(Line($"| official Python API | {official[0]:0.0} s | {official[1]:0.0} s | {official[0] + official[1]:0.0} s |"));
            page.Say(Line($"| ratio | {official[0] / load:0.0}x | {official[1] / evaluate:0.0}x | {(official[0] + official[1]) / (load + evaluate):0.0}x |"));
            double apart = numbers.Zip(official[2..], (a, b) => Math.Abs(a - b)).Max();
            page.Say("");
            page.Say(Line($"The twelve numbers differ by {apart:0.0e+0} at most."));
            page.Say("");
            if (apart > 1e-9) throw new InvalidOperationException($"The numbers differ by {apart}: one of the two is wrong.");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static (double Load, double Evaluate, double[] Numbers) Ours(string truthFile, string foundFile)
    {
        long start = Stopwatch.GetTimestamp();
        EvaluationSet set = ReadSet(truthFile);
        List<Detection> detections = ReadDetections(foundFile);
        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        start = Stopwatch.GetTimestamp();
        InstanceScores scores = InstanceEvaluation.Evaluate(set, detections);
        double[] numbers = [.. scores.Summary().Select(number => number.Value)];
        return (load, Stopwatch.GetElapsedTime(start).TotalSeconds, numbers);
    }

    private static double[] Python(string folder, string api, string truthFile, string foundFile)
    {
        string script = Path.Combine(folder, "official.py");
        File.WriteAllText(script, Script);
        using var process = Process.Start(new ProcessStartInfo("python3", [script, api, truthFile, foundFile]) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"python3 ended with {process.ExitCode}. Is {api} the built PythonAPI folder?");
        return JsonSerializer.Deserialize<double[]>(output)!;
    }

    // A detection lies near an object or anywhere; a part has a wrong category.
    private static void WriteInstances(string truthFile, string foundFile, int images)
    {
        const int width = 640, height = 480, objects = 8;
        var random = new Random(1);
        using FileStream truthStream = File.Create(truthFile), foundStream = File.Create(foundFile);
        using Utf8JsonWriter truths = new(truthStream), found = new(foundStream);
        truths.WriteStartObject();
        truths.WriteStartArray("categories");
        for (int c = 1; c <= Categories; c++) WriteNumbers(truths, ("id", c));
        truths.WriteEndArray();
        truths.WriteStartArray("images");
        for (int i = 1; i <= images; i++) WriteNumbers(truths, ("id", i), ("width", width), ("height", height));
        truths.WriteEndArray();
        truths.WriteStartArray("annotations");
        found.WriteStartArray();
        int id = 0;
        for (int i = 1; i <= images; i++)
        {
            var here = new (RleMask Mask, int Category)[objects];
            for (int o = 0; o < objects; o++)
            {
                here[o] = (Ellipse(random), random.Next(1, Categories + 1));
                truths.WriteStartObject();
                truths.WriteNumber("id", ++id);
                truths.WriteNumber("image_id", i);
                truths.WriteNumber("category_id", here[o].Category);
                truths.WriteNumber("iscrowd", 0);
                truths.WriteNumber("area", here[o].Mask.Area);
                WriteBox(truths, here[o].Mask);
                WriteMask(truths, here[o].Mask);
                truths.WriteEndObject();
            }

            for (int d = 0; d < PerImage; d++)
            {
                (RleMask mask, int category) = here[random.Next(objects)];
                mask = random.Next(3) == 0 ? Ellipse(random) : mask.Translate(random.Next(-20, 21), random.Next(-20, 21));
                found.WriteStartObject();
                found.WriteNumber("image_id", i);
                found.WriteNumber("category_id", random.Next(4) == 0 ? random.Next(1, Categories + 1) : category);
                found.WriteNumber("score", random.NextDouble());
                WriteMask(found, mask);
                found.WriteEndObject();
            }
        }

        truths.WriteEndArray();
        truths.WriteEndObject();
        found.WriteEndArray();

        RleMask Ellipse(Random random)
        {
            double x = random.Next(width), y = random.Next(height), a = random.Next(8, 120), b = random.Next(8, 120);
            double[] polygon = [.. Enumerable.Range(0, 24).SelectMany(i => new[]
            {
                Math.Clamp(x + (a * Math.Cos(i * Math.PI / 12)), 0, width), Math.Clamp(y + (b * Math.Sin(i * Math.PI / 12)), 0, height),
            })];
            return RleMask.FromPolygon(polygon, width, height);
        }
    }

    private static void WriteNumbers(Utf8JsonWriter writer, params (string Name, int Value)[] numbers)
    {
        writer.WriteStartObject();
        foreach ((string name, int value) in numbers) writer.WriteNumber(name, value);
        writer.WriteEndObject();
    }

    private static void WriteMask(Utf8JsonWriter writer, RleMask mask)
    {
        writer.WriteStartObject("segmentation");
        writer.WriteStartArray("size");
        writer.WriteNumberValue(mask.Height);
        writer.WriteNumberValue(mask.Width);
        writer.WriteEndArray();
        writer.WriteString("counts", mask.ToCocoUtf8());
        writer.WriteEndObject();
    }

    private static void WriteBox(Utf8JsonWriter writer, RleMask mask)
    {
        (int x, int y, int width, int height) = mask.BoundingBox;
        writer.WriteStartArray("bbox");
        foreach (int value in new[] { x, y, width, height }) writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    private static EvaluationSet ReadSet(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
        JsonElement root = document.RootElement;
        return new EvaluationSet(
            root.GetProperty("images").EnumerateArray().Select(image => new EvaluationImage(
                image.GetProperty("id").GetInt64(), image.GetProperty("width").GetInt32(), image.GetProperty("height").GetInt32())),
            root.GetProperty("categories").EnumerateArray().Select(category => new EvaluationCategory(category.GetProperty("id").GetInt64(), "")),
            root.GetProperty("annotations").EnumerateArray().Select(annotation => new GroundTruth(
                annotation.GetProperty("id").GetInt64(), annotation.GetProperty("image_id").GetInt64(), annotation.GetProperty("category_id").GetInt64())
            {
                Mask = annotation.GetProperty("segmentation").Deserialize(RleJsonContext.Default.RleMask),
                Area = annotation.GetProperty("area").GetDouble(),
                IsCrowd = annotation.GetProperty("iscrowd").GetInt32() != 0,
            }));
    }

    private static List<Detection> ReadDetections(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
        return [.. document.RootElement.EnumerateArray().Select(entry => new Detection(
            entry.GetProperty("image_id").GetInt64(), entry.GetProperty("category_id").GetInt64(), entry.GetProperty("score").GetDouble())
        {
            Mask = entry.GetProperty("segmentation").Deserialize(RleJsonContext.Default.RleMask),
        })];
    }

    // Pictures of BSDS' size with closed curves: each person draws most of them, a pixel or two beside; the edges are blurred, and
    // there are others that nobody drew.
    private static void TimeEdges(ResultPage page, int pictures)
    {
        const int width = 481, height = 321, people = 5;
        var inputs = new (byte[] Edges, RleMask[] Drawn)[Math.Min(pictures, 20)];
        for (int i = 0; i < inputs.Length; i++) inputs[i] = Drawing(new Random(i), width, height, people);
        long start = Stopwatch.GetTimestamp();
        var counts = new EdgeCounts[pictures];
        Parallel.For(0, pictures, i => counts[i] = EdgeBenchmark.Count(inputs[i % inputs.Length].Edges, inputs[i % inputs.Length].Drawn));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        EdgeScores scores = EdgeBenchmark.Gather(counts);
        double drawn = counts.Average(count => count.Human[0] / (double)people), most = counts.Average(count => count.Edges[0]);
        page.Say(Line($"Edge scores, {pictures} pictures of {width}x{height}, {people} people, 99 thresholds, exact pairing: {seconds:0} s on {Environment.ProcessorCount} threads."));
        page.Say(Line($"{drawn:0} pixels a person, {most:0} edge pixels at the lowest threshold; ODS {scores.DataSetScale.F:0.000}."));
    }

    private static (byte[] Edges, RleMask[] Drawn) Drawing(Random random, int width, int height, int people)
    {
        const int curves = 14;
        float[] strength = new float[width * height];
        byte[][] drawn = [.. Enumerable.Range(0, people).Select(_ => new byte[width * height])];
        for (int c = 0; c < curves * 3; c++)
        {
            bool real = c < curves;
            double x = random.Next(width), y = random.Next(height), radius = random.Next(10, 90), wobble = random.NextDouble() * 0.4;
            int lobes = random.Next(2, 7);
            float force = real ? 0.3f + (0.7f * random.NextSingle()) : 0.6f * random.NextSingle();
            Trace((u, v) => Blur(strength, u, v, force));
            for (int p = 0; real && p < people; p++)
            {
                if (random.Next(4) == 0) continue;
                int shiftX = random.Next(-2, 3), shiftY = random.Next(-2, 3);
                Trace((u, v) => Put(drawn[p], u + shiftX, v + shiftY));
            }

            void Trace(Action<int, int> at)
            {
                for (double angle = 0; angle < 2 * Math.PI; angle += 0.4 / radius)
                {
                    double r = radius * (1 + (wobble * Math.Sin(lobes * angle)));
                    at((int)(x + (r * Math.Cos(angle))), (int)(y + (r * Math.Sin(angle))));
                }
            }
        }

        byte[] edges = [.. strength.Select(value => (byte)Math.Round(255 * Math.Min(1, value + (0.02f * random.NextSingle()))))];
        return (edges, [.. drawn.Select(pixels => RleMask.FromBitmap(pixels, width, height))]);

        void Put(byte[] pixels, int u, int v)
        {
            if ((uint)u < (uint)width && (uint)v < (uint)height) pixels[(v * width) + u] = 1;
        }

        void Blur(float[] pixels, int u, int v, float force)
        {
            for (int dy = -2; dy <= 2; dy++)
            {
                for (int dx = -2; dx <= 2; dx++)
                {
                    if ((uint)(u + dx) >= (uint)width || (uint)(v + dy) >= (uint)height) continue;
                    ref float pixel = ref pixels[((v + dy) * width) + u + dx];
                    pixel = Math.Max(pixel, force * MathF.Exp(-((dx * dx) + (dy * dy)) / 3f));
                }
            }
        }
    }

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
