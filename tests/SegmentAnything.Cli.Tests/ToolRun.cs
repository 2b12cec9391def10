namespace SegmentAnything.Cli.Tests;

/// <summary>One command line, run inside the test's process: what it wrote and how it ended.</summary>
internal sealed record ToolRun(int Status, string Output, string Error)
{
    public static async Task<ToolRun> Run(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int status = await Tool.RunAsync(args, output, error);
        return new ToolRun(status, output.ToString(), error.ToString());
    }

    /// <summary>The line of standard error that begins with <c>error:</c>, which must be the only one, and no stack trace.</summary>
    public string ErrorLine
    {
        get
        {
            string[] lines = Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.DoesNotContain(lines, line => line.StartsWith("   at ", StringComparison.Ordinal));
            return Assert.Single(lines, line => line.StartsWith("error:", StringComparison.Ordinal));
        }
    }
}
