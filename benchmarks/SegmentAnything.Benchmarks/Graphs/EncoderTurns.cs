using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// Image encoders of the same weights beside each other: in turns in one process, their answers compared; and the memory of a
/// process that does nothing but load one and encode once.
/// </summary>
internal static class EncoderTurns
{
    // Sums of a few hundred terms in two orders, through up to 48 blocks.
    private const float Tolerance = 1e-3f;

    /// <summary>A map that comes out.</summary>
    public readonly record struct Map(string Name, int Channels, int Side)
    {
        public int Length => Channels * Side * Side;
    }

    /// <summary>One of them.</summary>
    /// <param name="Name">For the table.</param>
    /// <param name="Megabytes">Of its file, or of its packed weights.</param>
    /// <param name="Memory">The peak of a process, all and without the pages of mapped files.</param>
    /// <param name="Encode">From an image to all maps, one after the other.</param>
    public sealed record Encoder(string Name, double Megabytes, (double All, double Anonymous) Memory, Action<float[], float[]> Encode);

    /// <summary>What a table begins with.</summary>
    public static void Begin(ResultPage table, string column, int rounds, double peak, WorkTime clock)
    {
        table.Say($"{ResultPage.Machine}, FMA peak {peak:F0} GFLOP/s; random weights, a picture of 1024x1024; {rounds} rounds in turns, medians of the network alone: {clock.Name}. "
            + "Memory is the peak of a process that loads the file and encodes once with two threads, without the pages of mapped files.");
        table.Say("");
        table.Say($"| {column} | form | weights | time | against the first | GFLOP/s | of the peak | memory | beyond the weights |");
        table.Say("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    }

    /// <summary>Measures encoders and says their rows.</summary>
    public static void Measure(ResultPage table, string name, int side, ReadOnlySpan<Map> maps, double multiplyAdds, int rounds, double peak, WorkTime clock, params Encoder[] encoders)
    {
        int length = 0;
        foreach (Map map in maps) length += map.Length;
        float[] image = Image(side);
        float[]? expected = null;
        double[][] times = [.. encoders.Select(_ => new double[rounds])];
        // The first run allocates.
        for (int round = -1; round < rounds; round++)
        {
            for (int i = 0; i < encoders.Length; i++)
            {
                float[] found = new float[length];
                Encoder encoder = encoders[i];
                double seconds = clock.Measure(() => encoder.Encode(image, found));
                if (round >= 0) times[i][round] = seconds;
                expected ??= found;
                int start = 0;
                foreach (Map map in maps)
                {
                    Compare(found.AsSpan(start, map.Length), expected.AsSpan(start, map.Length), $"{name}, {encoder.Name}, {map.Name}");
                    start += map.Length;
                }
            }
        }

        double gigaFlop = 2e-9 * multiplyAdds;
        double[] medians = [.. times.Select(t => t.Order().ElementAt(t.Length / 2))];
        for (int i = 0; i < encoders.Length; i++)
        {
            (double all, double anonymous) = encoders[i].Memory;
            table.Say($"| {name} | {encoders[i].Name} | {encoders[i].Megabytes:F0} MB | {medians[i] * 1e3:F0} ms | {medians[0] / medians[i]:F2}x | {gigaFlop / medians[i]:F0} | {gigaFlop / medians[i] / peak:P0} "
                + $"| {all:F0} MB ({anonymous:F0}) | {all - encoders[i].Megabytes:F0} MB |");
        }
    }

    /// <summary>A graph on ONNX Runtime.</summary>
    public static Action<float[], float[]> Of(ModelSession session, int side, Map[] maps) => (image, result) =>
    {
        using TensorList inputs = new(), outputs = new();
        inputs.Add("image", image.AsMemory(), 1, 3, side, side);
        int start = 0;
        foreach (Map map in maps)
        {
            outputs.Add(map.Name, result.AsMemory(start), 1, map.Channels, map.Side, map.Side);
            start += map.Length;
        }

        session.Run(inputs.AsSpan(), outputs.AsSpan());
    };

    /// <summary>Our own kernels.</summary>
    public static Action<float[], float[]> Of(EncoderNetwork network, WorkSplitter splitter) =>
        (image, result) => network.Run(image, result, splitter, CancellationToken.None);

    /// <summary>Writes a graph as a file with its weights beside it.</summary>
    /// <returns>MB of both.</returns>
    public static double WriteGraph(string path, Func<WeightOptions, GraphBuilder> build)
    {
        string data = Path.ChangeExtension(path, ".weights");
        using (FileStream stream = File.Create(data))
            File.WriteAllBytes(path, build(new WeightOptions(External: new ExternalWeights(stream, Path.GetFileName(data)))).ToBytes());
        return (new FileInfo(path).Length + new FileInfo(data).Length) / 1e6;
    }

    /// <summary>Writes weights as a safetensors file, one tensor at a time.</summary>
    public static void WriteCheckpoint(string path, StateDict weights)
    {
        StringBuilder header = new("{");
        long offset = 0;
        foreach (TensorInfo tensor in weights.Tensors.Values)
        {
            long end = offset + (sizeof(float) * tensor.Count);
            header.Append(CultureInfo.InvariantCulture, $"{(offset > 0 ? "," : "")}\"{tensor.Name}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{offset},{end}]}}");
            offset = end;
        }

        using FileStream file = File.Create(path);
        byte[] json = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        file.Write(BitConverter.GetBytes((long)json.Length));
        file.Write(json);
        foreach (TensorInfo tensor in weights.Tensors.Values) file.Write(MemoryMarshal.AsBytes(weights.ReadAny(tensor.Name).AsSpan()));
    }

    /// <summary>Runs this program again with other arguments, which print what <see cref="PrintMemory"/> prints.</summary>
    public static (double All, double Anonymous) MemoryOf(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(EncoderTurns).Assembly.Location);
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{string.Join(' ', arguments)} ended with {process.ExitCode}.");
        double[] numbers = [.. output.Trim().Split(' ').Select(v => double.Parse(v, CultureInfo.InvariantCulture))];
        return (numbers[0], numbers[1]);
    }

    /// <summary>Loads, encodes once, and prints MB: all, and of it no file's.</summary>
    /// <param name="side">Side of the image.</param>
    /// <param name="length">Floats of all maps.</param>
    /// <param name="load">Makes the encoder, and what is to be disposed.</param>
    public static void PrintMemory(int side, int length, Func<(Action<float[], float[]> Encode, IDisposable Resource)> load)
    {
        using PeakMemory memory = new();
        (Action<float[], float[]> encode, IDisposable resource) = load();
        using (resource) encode(Image(side), new float[length]);
        (double all, double anonymous) = memory.Read();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{all:F1} {anonymous:F1}"));
    }

    private static float[] Image(int side)
    {
        float[] image = new float[3 * side * side];
        for (int i = 0; i < image.Length; i++) image[i] = MathF.Sin(i * 0.001f) + MathF.Cos(i / side * 0.01f);
        return image;
    }

    private static void Compare(ReadOnlySpan<float> found, ReadOnlySpan<float> right, string what)
    {
        float difference = 0, most = 0;
        for (int i = 0; i < found.Length; i++)
        {
            float distance = MathF.Abs(found[i] - right[i]);
            if (!(distance <= difference)) difference = distance;
            most = Math.Max(most, MathF.Abs(right[i]));
        }

        if (!(difference <= Tolerance * most)) throw new InvalidOperationException($"{what}: differs by {difference} of {most}.");
    }
}
