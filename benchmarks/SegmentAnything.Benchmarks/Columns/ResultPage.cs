using System.Text;
using BenchmarkDotNet.Environments;
using SegmentAnything.Benchmarks.Machine;

namespace SegmentAnything.Benchmarks.Columns;

/// <summary>A page of results that a command of its own makes: on the console line by line, and at the end in a file.</summary>
internal sealed class ResultPage(string name)
{
    private readonly StringBuilder _text = new();

    /// <summary>The processor and its cores.</summary>
    public static string Machine => $"{HostEnvironmentInfo.GetCurrent().Cpu.Value?.ProcessorName}, {Environment.ProcessorCount} cores";

    /// <summary>The widest vectors, in words.</summary>
    public static string Vectors => $"vectors of {32 * FmaPeak.WidestVector} bits";

    /// <summary>Adds a line of Markdown.</summary>
    public void Say(string line)
    {
        Console.WriteLine(line);
        Note(line);
    }

    /// <summary>Adds a line of Markdown to the file alone.</summary>
    public void Note(string line) => _text.Append(line).Append('\n');

    /// <summary>Begins anew.</summary>
    public void Clear() => _text.Clear();

    /// <summary>The rows of the table that is there from before, by the name in code quotes that they begin with.</summary>
    public Dictionary<string, string> ReadRows()
    {
        string path = Path.Combine(ResultsExporter.CreateFolder(HostEnvironmentInfo.GetCurrent()), name + ".md");
        return File.Exists(path)
            ? File.ReadLines(path).Where(line => line.StartsWith("| `", StringComparison.Ordinal)).ToDictionary(line => line.Split('`')[1])
            : [];
    }

    /// <summary>Writes benchmarks/results/(processor)/(name).md, and Versions.txt beside it.</summary>
    public void Save()
    {
        string folder = ResultsExporter.CreateFolder(HostEnvironmentInfo.GetCurrent());
        File.WriteAllText(Path.Combine(folder, name + ".md"), $"# {name}\n\n{_text}");
        ResultsExporter.WriteVersions(folder);
    }
}
