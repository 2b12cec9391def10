using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using BenchmarkDotNet.Environments;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using SegmentAnything.Benchmarks.Rle;

namespace SegmentAnything.Benchmarks.Columns;

/// <summary>Writes each table to benchmarks/results/(processor)/(benchmark).md, and Versions.txt beside it.</summary>
internal sealed class ResultsExporter : IExporter
{
    public string Name => nameof(ResultsExporter);

    public void ExportToLog(Summary summary, ILogger logger)
    {
        // Nothing: the Markdown table is on the console already.
    }

    public IEnumerable<string> ExportToFiles(Summary summary, ILogger consoleLogger)
    {
        string folder = CreateFolder(summary.HostEnvironmentInfo);
        foreach (var group in summary.BenchmarksCases.GroupBy(benchmark => benchmark.Descriptor.Type))
        {
            string file = Path.Combine(folder, group.Key.Name + ".md");
            var table = new AccumulationLogger();
            MarkdownExporter.GitHub.ExportToLog(summary, table);
            // BenchmarkDotNet puts names with spaces between apostrophes, as HTML writes them.
            File.WriteAllText(file, $"# {group.Key.Name}\n\n{table.GetLog().Trim().Replace("&#39;", "")}\n");
            yield return file;
        }

        yield return WriteVersions(folder);
    }

    /// <summary>The folder of this processor's results, made where it is missing.</summary>
    internal static string CreateFolder(HostEnvironmentInfo host) =>
        Directory.CreateDirectory(Path.Combine(
            Root(), "results", FolderName(host.Cpu.Value?.ProcessorName) + WithoutInstructions())).FullName;

    // Results with instruction sets switched off stand for another processor and have a folder of their own.
    private static string WithoutInstructions() => string.Concat(
        new[] { "AVX512", "AVX2", "HWIntrinsic" }
            .Where(name => Environment.GetEnvironmentVariable($"DOTNET_Enable{name}") == "0")
            .Select(name => $".without-{name}"));

    /// <summary>Says with what the results beside it were measured.</summary>
    internal static string WriteVersions(string folder)
    {
        string versions = Path.Combine(folder, "Versions.txt");
        File.WriteAllText(versions, $"""
            Runtime: {RuntimeInformation.FrameworkDescription}
            System: {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors
            Vectors: {(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0)} bits
            BenchmarkDotNet: {typeof(Summary).Assembly.GetName().Version}
            C compiler of the baselines: {NativeBaseline.Compiler}
            Measured: {DateTime.UtcNow:yyyy-MM-dd}

            """);
        return versions;
    }

    private static string FolderName(string? processor)
    {
        string name = string.Concat((processor ?? "unknown").Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' ? c : ' '));
        return string.Join('.', name.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    private static string Root([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));
}
