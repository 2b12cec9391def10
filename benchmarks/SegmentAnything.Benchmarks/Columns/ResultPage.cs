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
        _text.Append(line).Append('\n');
    }

    /// <summary>Writes benchmarks/results/(processor)/(name).md, and Versions.txt beside it.</summary>
    public void Save()
    {
        string folder = ResultsExporter.CreateFolder(HostEnvironmentInfo.GetCurrent());
        File.WriteAllText(Path.Combine(folder, name + ".md"), $"# {name}\n\n{_text}");
        ResultsExporter.WriteVersions(folder);
    }
}
