using System.Globalization;
using System.Text;

namespace SegmentAnything.Cli;

/// <summary>
/// A writer to a terminal or a log that shows control characters instead of sending them: the name of a file may hold the
/// sequences that move a terminal's cursor, change its title or hide a line.
/// </summary>
/// <param name="inner">Where to.</param>
internal sealed class PrintableWriter(TextWriter inner) : TextWriter(CultureInfo.InvariantCulture)
{
    /// <summary>Where it goes, for what draws on a terminal and shows names as <see cref="Show(string)"/> gives them.</summary>
    public TextWriter Inner => inner;

    public override Encoding Encoding => inner.Encoding;

    /// <summary>The text in one line: characters that control a terminal or the direction of writing are shown as their numbers.</summary>
    public static string Show(string text) => Show(text, oneLine: true);

    public override void Write(char value) => inner.Write(MustShow(value, oneLine: false) ? Number(value) : value.ToString());

    public override void Write(string? value) => inner.Write(value is null ? null : Show(value, oneLine: false));

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    public override void WriteLine(string? value)
    {
        Write(value);
        inner.WriteLine();
    }

    public override void WriteLine() => inner.WriteLine();

    public override void Flush() => inner.Flush();

    private static string Show(string text, bool oneLine)
    {
        if (!text.Any(c => MustShow(c, oneLine))) return text;
        StringBuilder shown = new();
        foreach (char c in text)
        {
            if (MustShow(c, oneLine)) shown.Append(Number(c));
            else shown.Append(c);
        }

        return shown.ToString();
    }

    // Controls, C1 among them, and the marks that change the direction of writing. Lines are the tool's own, but not within a name.
    private static bool MustShow(char c, bool oneLine) => c switch
    {
        '\t' => false,
        '\n' => oneLine,
        _ => char.IsControl(c) || c is '\u061C' or '\u200E' or '\u200F' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069'),
    };

    private static string Number(char c) => c < 0x100 ? $"\\x{(int)c:X2}" : $"\\u{(int)c:X4}";
}
