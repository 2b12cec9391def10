using System.Diagnostics;
using Spectre.Console;

namespace SegmentAnything.Cli;

/// <summary>Tells a person on standard error what is being done and how long it took.</summary>
internal sealed class Progress
{
    private readonly TextWriter _error;
    private readonly IAnsiConsole? _terminal;

    /// <param name="error">Where to write. A spinner turns only when this is the process's own terminal.</param>
    public Progress(TextWriter error)
    {
        _error = error;
        if (TerminalOf(error) is { } terminal)
            _terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal) });
    }

    /// <summary>Does one step and reports its time.</summary>
    public T Run<T>(string step, Func<T> work) => Run(step, work, out _);

    /// <summary>Does one step and reports its time.</summary>
    /// <param name="step">What is done, as in <c>Encoding the picture</c>.</param>
    /// <param name="work">Does it.</param>
    /// <param name="elapsed">How long it took.</param>
    public T Run<T>(string step, Func<T> work, out TimeSpan elapsed)
    {
        long start = Stopwatch.GetTimestamp();
        T result = _terminal is { Profile.Capabilities.Interactive: true }
            ? _terminal.Status().Start(Markup.Escape(PrintableWriter.Show(step)), _ => work())
            : work();
        elapsed = Stopwatch.GetElapsedTime(start);
        Say($"{step}: {Format(elapsed)}");
        return result;
    }

    /// <summary>Says something in one line.</summary>
    public void Say(string line) => _error.WriteLine(PrintableWriter.Show(line));

    /// <summary>The process's own terminal, where that is what is written to; else null.</summary>
    public static TextWriter? TerminalOf(TextWriter error) =>
        ((error as PrintableWriter)?.Inner ?? error) is var inner && ReferenceEquals(inner, Console.Error) && !Console.IsErrorRedirected ? inner : null;

    /// <summary>A time as people read it: milliseconds below a second, else seconds.</summary>
    public static string Format(TimeSpan time) =>
        time.TotalSeconds < 1 ? $"{time.TotalMilliseconds:0} ms" : $"{time.TotalSeconds:0.0} s";
}
