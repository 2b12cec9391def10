using System.CommandLine;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
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

    /// <summary>A folder run was ended by a signal and can be taken up again with <c>--resume</c> (EX_TEMPFAIL of sysexits.h).</summary>
    public const int Resumable = 75;

    /// <summary>Runs one command line.</summary>
    /// <param name="args">The words after the program's name.</param>
    /// <param name="output">Takes results.</param>
    /// <param name="error">Takes progress and errors.</param>
    /// <param name="signals">What the system asks of the process; null for one that is not asked.</param>
    /// <returns>The process's exit status.</returns>
    public static Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, Signals? signals = null) =>
        RunAsync(args, new PrintableWriter(output), new PrintableWriter(error), signals);

    private static async Task<int> RunAsync(string[] args, PrintableWriter output, PrintableWriter error, Signals? signals)
    {
        // A name that begins with @ is a name, not a file of further options.
        ParseResult parsed = CreateRoot().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction)
        {
            foreach (var e in parsed.Errors) error.WriteLine($"error: {OneLine(e.Message)}");
            if (Suggestion.For(parsed) is { } suggestion) error.WriteLine($"Did you mean {suggestion}?");
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
                ProcessTerminationTimeout = null, // signals are ours
            }, signals?.Cancellation ?? CancellationToken.None);
        }
        catch (UsageException e)
        {
            error.WriteLine($"error: {OneLine(e.Message)}");
            error.WriteLine($"Try: segment-anything {CommandPath(parsed)}--help");
            return Usage;
        }
        catch (ResumableException e) when (signals?.Received is PosixSignal.SIGTERM)
        {
            error.WriteLine($"error: {OneLine(e.Message)}");
            return Resumable;
        }
        catch (OperationCanceledException e)
        {
            error.WriteLine(e is ResumableException ? $"error: {OneLine(e.Message)}" : "error: cancelled");
            return signals?.ExitStatus ?? Failure;
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
        VerifyCommand.Create(),
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
        PrintableWriter.Show(string.Join(" ", message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)));
}

/// <summary>The command line is wrong in a way that its grammar alone does not show.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>A run was cancelled, and what it has done is kept for another that goes on.</summary>
internal sealed class ResumableException(string message, CancellationToken token) : OperationCanceledException(message, token);
