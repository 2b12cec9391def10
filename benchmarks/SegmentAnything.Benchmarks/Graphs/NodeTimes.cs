using System.Globalization;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Execution;
using SegmentAnything.Graphs;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>Where a graph's time goes, as ONNX Runtime's own profile has it: by operator, and its dearest nodes.</summary>
internal static class NodeTimes
{
    private const int Dearest = 25;

    /// <summary>Runs a graph twice, and prints what the second run took, on the console.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="name">What it is, for the heading.</param>
    /// <param name="threads">How many to run it with.</param>
    /// <param name="run">Runs it once.</param>
    public static void Print(GraphBuilder graph, string name, int threads, Action<ModelSession> run)
    {
        string folder = Directory.CreateTempSubdirectory("node-times").FullName;
        try
        {
            ExecutionOptions options = ExecutionOptions.For(new CpuProvider(threads)) with
            {
                ConfigureSession = o =>
                {
                    o.ProfileOutputPathPrefix = Path.Combine(folder, "profile");
                    o.EnableProfiling = true;
                },
            };
            using (ModelSession session = SessionFactory.Create(graph.ToBytes(), name, options))
            {
                run(session);
                run(session);
            }

            using JsonDocument profile = JsonDocument.Parse(File.ReadAllText(Directory.GetFiles(folder).Single()));
            JsonElement[] events = [.. profile.RootElement.EnumerateArray()];
            // The second run: what begins after the first has ended.
            double begin = events.Where(e => Text(e, "name") == "model_run").Select(e => Number(e, "ts")).Order().ElementAt(1);
            (string Op, string Name, string Shape, double Time)[] nodes =
            [
                .. events.Where(e => Text(e, "cat") == "Node" && Text(e, "name").EndsWith("_kernel_time", StringComparison.Ordinal) && Number(e, "ts") >= begin)
                    .Select(e => (Text(e.GetProperty("args"), "op_name"), Text(e, "name"), Shapes(e.GetProperty("args")), Number(e, "dur") / 1e3)),
            ];
            // The time of a loop has its body's in it.
            double sum = nodes.Where(n => n.Op != "Scan").Sum(n => n.Time);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{name}: {sum:F0} ms in {nodes.Length} nodes"));
            foreach (var group in nodes.GroupBy(n => n.Op).OrderByDescending(g => g.Sum(n => n.Time)))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{group.Sum(n => n.Time),8:F1} ms {group.Count(),6} x {group.Key}"));
            foreach ((string op, string node, string shape, double time) in nodes.OrderByDescending(n => n.Time).Take(Dearest))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    {time,8:F1} ms {op} {node[..^"_kernel_time".Length]} {shape}"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.ToString() : "";

    private static double Number(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.GetDouble() : 0;

    private static string Shapes(JsonElement args) => $"{Text(args, "input_type_shape")} -> {Text(args, "output_type_shape")}".Replace("\"float\":", "", StringComparison.Ordinal);
}
