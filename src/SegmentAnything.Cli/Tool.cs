using System.CommandLine;
using System.CommandLine.Invocation;
using SegmentAnything.Cli.Commands;

namespace SegmentAnything.Cli;

/// <summary>The command line: its commands, and what becomes of an error.</summary>
internal static class Tool
{
    /// <summary>All went well.</summary>
    public const int Success = 0;

    /// <summary>The input is bad or the work failed; one line on standard error says why.</summary>
    public const int Failure = 1;

    /// <summary>The command line itself is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Runs one command line.</summary>
    /// <param name="args">The words after the program's name.</param>
    /// <param name="output">Takes results.</param>
    /// <param name="error">Takes progress and errors.</param>
    /// <returns>The process's exit status.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        ParseResult parsed = CreateRoot().Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction)
        {
            foreach (var e in parsed.Errors) error.WriteLine($"error: {e.Message}");
            error.WriteLine($"Try: segment-anything {CommandPath(parsed)}--help");
            return Usage;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
            });
        }
        catch (UsageException e)
        {
            error.WriteLine($"error: {OneLine(e.Message)}");
            error.WriteLine($"Try: segment-anything {CommandPath(parsed)}--help");
            return Usage;
        }
        catch (OperationCanceledException)
        {
            error.WriteLine("error: cancelled");
            return Failure;
        }
        catch (Exception e)
        {
            error.WriteLine($"error: {Describe(e)}");
            return Failure;
        }
    }

    // One line a command, in the order in which help shows them.
    private static RootCommand CreateRoot() => new("Segment Anything: masks of the things in a picture, from points, boxes, or nothing.")
    {
        SegmentCommand.Create(),
        DownloadCommand.Create(),
        EverythingCommand.Create(),
        StatsCommand.Create(),
        ConvertAnnotationsCommand.Create(),
        DemoCommand.Create(),
        InspectCommand.Create(),
        ConvertCommand.Create(),
    };

    private static string CommandPath(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";

    private static string Describe(Exception e) => e switch
    {
        // The name of a parameter of our code means nothing to someone at the command line.
        ArgumentException { ParamName: not null } a => OneLine(a.Message.Replace($" (Parameter '{a.ParamName}')", "", StringComparison.Ordinal)),
        AggregateException { InnerExceptions: [var only] } => Describe(only),
        TypeInitializationException { InnerException: { } inner } => Describe(inner),
        NullReferenceException or InvalidCastException or IndexOutOfRangeException =>
            OneLine($"a mistake in this program ({e.GetType().Name}: {e.Message}); please report it"),
        _ => OneLine(e.Message),
    };

    private static string OneLine(string message) =>
        string.Join(" ", message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}

/// <summary>The command line is wrong in a way that its grammar alone does not show.</summary>
internal sealed class UsageException(string message) : Exception(message);
