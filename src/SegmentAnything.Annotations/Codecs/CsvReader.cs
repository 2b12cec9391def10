using System.Text;

namespace SegmentAnything.Annotations.Codecs;

/// <summary>Reads a table of comma-separated values, a row at a time; values may stand in quotes.</summary>
internal sealed class CsvReader(string path) : IDisposable
{
    // The longest line: a mask of a large picture takes some megabytes.
    private const int MaxLine = 256 << 20;

    private readonly StreamReader _reader = new(InputFile.Open(path), new UTF8Encoding(false, throwOnInvalidBytes: true));
    private int _line;

    /// <summary>The next row that is not empty; null at the end.</summary>
    public string[]? Read()
    {
        while (true)
        {
            string? line;
            try
            {
                line = _reader.ReadLine();
            }
            catch (DecoderFallbackException e)
            {
                throw new AnnotationFormatException($"{path}: not UTF-8 text; save the file as UTF-8", innerException: e);
            }

            if (line is null) return null;
            _line++;
            if (line.Length > MaxLine) throw Fail($"the line has {line.Length} characters; at most {MaxLine} were expected");
            if (line.Length > 0) return Split(line);
        }
    }

    /// <summary>The place of a column by its name, whatever its case; -1 where there is none.</summary>
    public static int Column(string[] header, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            int found = Array.FindIndex(header, h => string.Equals(h.Trim(), name, StringComparison.OrdinalIgnoreCase));
            if (found >= 0) return found;
        }

        return -1;
    }

    /// <summary>An error that names file and line.</summary>
    public AnnotationFormatException Fail(string message) => new($"{path}: line {_line}: {message}");

    /// <summary>A value as it stands in a row.</summary>
    public static string Quote(string value) => value.AsSpan().IndexOfAny(",\"\r\n") < 0 ? value : $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    public void Dispose() => _reader.Dispose();

    private string[] Split(string line)
    {
        if (!line.Contains('"')) return line.Split(',');
        List<string> values = [];
        var value = new StringBuilder();
        bool quoted = false;
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (c == '"' && quoted && i + 1 < line.Length && line[i + 1] == '"') value.Append(line[++i]);
            else if (c == '"') quoted = !quoted;
            else if (c == ',' && !quoted)
            {
                values.Add(value.ToString());
                value.Clear();
            }
            else value.Append(c);
        }

        if (quoted) throw Fail("a quote has no end on its line");
        values.Add(value.ToString());
        return [.. values];
    }
}
