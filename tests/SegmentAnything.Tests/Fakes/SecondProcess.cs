using System.Diagnostics;
using System.Reflection;

namespace SegmentAnything.Tests.Fakes;

/// <summary>Starts this test program a second time, to run one test that is marked as explicit.</summary>
internal static class SecondProcess
{
    /// <summary>Runs a test in another process and fails with its output if it fails.</summary>
    /// <param name="test">The test: a method marked <c>[Fact(Explicit = true)]</c>.</param>
    /// <param name="environment">Environment variables for it.</param>
    public static async Task RunAsync(MethodInfo test, params IEnumerable<(string Name, string Value)> environment)
    {
        string self = Environment.ProcessPath!;
        var start = new ProcessStartInfo(self) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(self) == "dotnet") start.ArgumentList.Add(test.DeclaringType!.Assembly.Location);
        foreach (string argument in new[] { "--explicit", "only", "--filter-method", $"{test.DeclaringType!.FullName}.{test.Name}", "--no-progress" })
            start.ArgumentList.Add(argument);

        // A runner sets these so that its tests report to it; the second process reports to us.
        foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("TESTINGPLATFORM_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        foreach ((string name, string value) in environment) start.Environment[name] = value;

        CancellationToken token = TestContext.Current.CancellationToken;
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(token);
            Task<string> errors = process.StandardError.ReadToEndAsync(token);
            await process.WaitForExitAsync(token);
            Assert.True(process.ExitCode == 0, $"The second process ended with {process.ExitCode}.\n{await output}{await errors}");
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }
}
