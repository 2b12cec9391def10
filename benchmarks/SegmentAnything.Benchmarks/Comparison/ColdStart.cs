using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Imaging;
using SegmentAnything.Networks;
using SegmentAnything.Onnx;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// From nothing to the first mask: whole runs of the tool, from the start of the process to its end, in the forms that it is
/// published in, in turns; and where the time of the first call goes inside of a process that compiles while it runs.
/// </summary>
internal static partial class ColdStart
{
    private const int Width = 600, Height = 400;

    /// <summary>Measures.</summary>
    /// <param name="args">
    /// Nothing for the phases alone; or rounds, and forms of the tool as NAME=PATH, the baseline first: a .dll is run by dotnet.
    /// </param>
    public static int Run(string[] args)
    {
        if (args is ["phases"]) return Phases();
        ResultPage page = new("ColdStart");
        page.Say($"{ResultPage.Machine}; one click on a picture of {Width}x{Height}, MobileSAM, files in the system's cache.");
        page.Say("");
        if (args.Length > 1) Tools(page, int.Parse(args[0], CultureInfo.InvariantCulture), [.. args.Skip(1).Select(a => a.Split('=', 2)).Select(a => (a[0], a[1]))]);
        page.Say("Inside of a process that compiles while it runs: every step as it is the first time, and again in the same process.");
        page.Say("");
        page.Say("| step | first | again | resident after the first |");
        page.Say("|---|---:|---:|---:|");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(ColdStart).Assembly.Location);
        start.ArgumentList.Add("cold-start");
        start.ArgumentList.Add("phases");
        using Process process = Process.Start(start)!;
        while (process.StandardOutput.ReadLine() is { } line) page.Say(line);
        process.WaitForExit();
        page.Save();
        return process.ExitCode;
    }

    private static void Tools(ResultPage page, int rounds, (string Name, string Path)[] tools)
    {
        string folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;
        try
        {
            string picture = Path.Combine(folder, "picture.png"), json = Path.Combine(folder, "masks.json");
            byte[] pixels = new byte[Width * Height * 3];
            for (int y = 0; y < Height; y++) StillLife.Image.Pixels.AsSpan(y * StillLife.Width * 3, Width * 3).CopyTo(pixels.AsSpan(y * Width * 3));
            ImageFile.SavePng(picture, pixels, Width, Height);

            List<Start>[] starts = [.. tools.Select(_ => new List<Start>())];
            string? expected = null;
            for (int round = 0; round <= rounds; round++)
            {
                for (int t = 0; t < tools.Length; t++)
                {
                    Start measured = Measure(tools[t].Path, picture, json);
                    string masks = string.Join(' ', JsonDocument.Parse(File.ReadAllBytes(json)).RootElement.EnumerateArray()
                        .Select(mask => mask.GetProperty("segmentation").GetProperty("counts").GetString()));
                    expected ??= masks;
                    if (masks != expected) throw new InvalidOperationException($"{tools[t].Name} gives other masks than {tools[0].Name}.");
                    // The first round reads files from the disk.
                    if (round > 0) starts[t].Add(measured);
                }
            }

            page.Say($"Whole runs, medians of {rounds} in turns; the masks are the same.");
            page.Say("");
            page.Say("| tool | start to end | ratio | loading | encoding | decoding | the rest | processor time | most memory | ratio |");
            page.Say("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
            for (int t = 0; t < tools.Length; t++)
            {
                double Of(int tool, Func<Start, double> value) => starts[tool].Select(value).Order().ElementAt(starts[tool].Count / 2);
                page.Say(string.Create(CultureInfo.InvariantCulture,
                    $"| {tools[t].Name} | {Of(t, s => s.Total):F2} s | {Of(t, s => s.Total) / Of(0, s => s.Total):F2} | {Of(t, s => s.Load):F2} s | {Of(t, s => s.Encode):F2} s | {Of(t, s => s.Decode):F2} s | {Of(t, s => s.Rest):F2} s | {Of(t, s => s.Processor):F2} s | {Of(t, s => s.Memory):F0} MB | {Of(t, s => s.Memory) / Of(0, s => s.Memory):F2} |"));
            }

            page.Say("");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Start Measure(string tool, string picture, string json)
    {
        bool managed = tool.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        var start = new ProcessStartInfo(managed ? "dotnet" : tool) { RedirectStandardError = true };
        if (managed) start.ArgumentList.Add(tool);
        foreach (string argument in (string[])["segment", picture, "--point", "300,200", "--json", json]) start.ArgumentList.Add(argument);
        long begin = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        Task<string> said = process.StandardError.ReadToEndAsync();
        double memory = 0, processor = 0;
        while (!process.WaitForExit(2))
        {
            // The kernel keeps the peak itself; what is asked for only has to be asked while there is a process.
            try
            {
                process.Refresh();
                memory = Math.Max(memory, process.PeakWorkingSet64 / 1e6);
                processor = Math.Max(processor, process.TotalProcessorTime.TotalSeconds);
            }
            catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // It has just ended.
            }
        }

        double total = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        string steps = said.Result;
        if (process.ExitCode != 0) throw new InvalidOperationException($"{tool} ended with {process.ExitCode}: {steps}");
        return new Start(total, Step(steps, "Loading"), Step(steps, "Encoding"), Step(steps, "Decoding"), processor, memory);
    }

    private static double Step(string said, string name)
    {
        Match found = StepTime().Matches(said).First(m => m.Groups["step"].Value.StartsWith(name, StringComparison.Ordinal));
        return double.Parse(found.Groups["time"].Value, CultureInfo.InvariantCulture) / (found.Groups["unit"].Value == "ms" ? 1000 : 1);
    }

    // As the tool's Progress writes it.
    [GeneratedRegex(@"^(?<step>.*): (?<time>[0-9.]+) (?<unit>ms|s)\r?$", RegexOptions.Multiline)]
    private static partial Regex StepTime();

    private static int Phases()
    {
        string[] names = [
            "decoder: file to weights as the kernels read them", "encoder: file and its SHA-256", "encoder: parsing",
            "encoder: weights by name", "encoder: packing them", "encoding", "first click", "next click"];
        List<(double Time, double Memory)>[] found = [.. names.Select(_ => new List<(double, double)>())];
        for (int pass = 0; pass < 2; pass++)
        {
            int step = 0;
            T Timed<T>(Func<T> work)
            {
                long start = Stopwatch.GetTimestamp();
                T result = work();
                found[step++].Add((Stopwatch.GetElapsedTime(start).TotalMilliseconds, Environment.WorkingSet / 1e6));
                return result;
            }

            SamVariant variant = SamModels.MobileSam;
            ModelFiles files = ModelStore.Default.Find(variant);
            using MaskDecoder decoder = Timed(() => new MaskDecoder(variant, files));
            ReadOnlyMemory<byte> model = Timed(() =>
            {
                ReadOnlyMemory<byte> bytes = files.Read(ModelFileRole.Encoder);
                _ = System.Security.Cryptography.SHA256.HashData(bytes.Span);
                return bytes;
            });
            ModelProto parsed = Timed(() => OnnxFile.Parse(model.Span, "encoder.onnx"));
            using StateDict own = Timed(() => TinyVitOnnxImport.Read(parsed, "encoder.onnx"));
            using EncoderNetwork encoder = Timed(() => TinyVitNetwork.Build(own, TinyVitLayout.Of(own), early: false, FmaPeak.WidestVector));
            using WorkSplitter splitter = new(ExecutionOptions.Default.Threads);
            float[] input = new float[3 * variant.ImageSize * variant.ImageSize], embedding = new float[variant.EmbeddingChannels * variant.EmbeddingGrid * variant.EmbeddingGrid];
            Timed(() =>
            {
                PixelBuffer picture = StillLife.Image.ToPixelBuffer();
                SegmentAnything.Preprocessing.EncoderInput.Write(
                    picture, new ImageFrame(picture.Size, variant.ImageSize).ResizedSize, variant.ImageSize, variant.PixelMean.AsSpan(), variant.PixelStd.AsSpan(), input, ExecutionOptions.Default.Threads);
                encoder.Run(input, embedding, splitter, default);
                return 0;
            });
            using SamModel sam = SamModel.Load(variant);
            using ImageEmbedding photo = sam.Encode(StillLife.Image.ToPixelBuffer());
            for (int click = 0; click < 2; click++) Timed(() => sam.Predict(photo, Prompt.Point(300, 200)).Best.Mask);
        }

        for (int step = 0; step < names.Length; step++)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {names[step]} | {found[step][0].Time:F0} ms | {found[step][1].Time:F0} ms | {found[step][0].Memory:F0} MB |"));
        }

        return 0;
    }

    private sealed record Start(double Total, double Load, double Encode, double Decode, double Processor, double Memory)
    {
        /// <summary>The process itself, the command line, reading the picture, writing the result, ending.</summary>
        public double Rest => Total - Load - Encode - Decode;
    }
}
