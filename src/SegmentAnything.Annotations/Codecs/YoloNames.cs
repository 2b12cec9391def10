using System.Globalization;

namespace SegmentAnything.Annotations.Codecs;

/// <summary>
/// The names in YOLO's data.yaml: a list in brackets, a list of lines, or lines with numbers. It is the one thing that is read of
/// the file, so no reader of the whole of YAML comes along.
/// </summary>
internal static class YoloNames
{
    /// <summary>Reads the names.</summary>
    /// <exception cref="AnnotationFormatException">There are none, or in a form that is not understood.</exception>
    public static List<(long Id, string Name)> Read(string[] lines, string path)
    {
        int at = Array.FindIndex(lines, line => line.StartsWith("names:", StringComparison.Ordinal));
        if (at < 0) throw new AnnotationFormatException($"{path}: the file has no \"names:\"");
        List<(long, string)> names = [];
        string rest = WithoutComment(lines[at]["names:".Length..]);
        if (rest.Length > 0)
        {
            // A list in brackets may go on in the next lines.
            string list = rest;
            for (int i = at + 1; i < lines.Length && !list.EndsWith(']') && !list.EndsWith('}'); i++) list += " " + WithoutComment(lines[i]);
            bool numbered = list.StartsWith('{');
            if (!(list.StartsWith('[') && list.EndsWith(']')) && !(numbered && list.EndsWith('}'))) throw Fail(at);
            foreach (string item in SplitList(list[1..^1]))
            {
                if (numbered) AddNumbered(item, at);
                else names.Add((names.Count, Unquote(item)));
            }

            return names;
        }

        for (int i = at + 1; i < lines.Length; i++)
        {
            string line = WithoutComment(lines[i]);
            if (line.Length == 0) continue;
            if (line.StartsWith('-')) names.Add((names.Count, Unquote(line[1..])));
            else if (char.IsWhiteSpace(lines[i][0])) AddNumbered(line, i);
            else break;
        }

        return names;

        void AddNumbered(string item, int line)
        {
            int colon = item.IndexOf(':');
            if (colon < 0 || !long.TryParse(item.AsSpan(0, colon).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long id)) throw Fail(line);
            names.Add((id, Unquote(item[(colon + 1)..])));
        }

        AnnotationFormatException Fail(int line) =>
            new($"{path}: line {line + 1}: \"{lines[line].Trim()}\"; names as [a, b], as lines \"- a\" or as lines \"0: a\" were expected");
    }

    /// <summary>A name as YAML has it: in quotes, whatever it is.</summary>
    public static string Quote(string name) => $"'{name.Replace("'", "''", StringComparison.Ordinal).ReplaceLineEndings(" ")}'";

    private static string WithoutComment(string line)
    {
        char quote = '\0';
        for (int i = 0; i < line.Length; i++)
        {
            if (quote != '\0') quote = line[i] == quote ? '\0' : quote;
            else if (line[i] is '\'' or '"') quote = line[i];
            else if (line[i] == '#' && (i == 0 || char.IsWhiteSpace(line[i - 1]))) return line[..i].Trim();
        }

        return line.Trim();
    }

    private static List<string> SplitList(string list)
    {
        List<string> items = [];
        char quote = '\0';
        int start = 0;
        for (int i = 0; i < list.Length; i++)
        {
            if (quote != '\0') quote = list[i] == quote ? '\0' : quote;
            else if (list[i] is '\'' or '"') quote = list[i];
            else if (list[i] == ',')
            {
                items.Add(list[start..i].Trim());
                start = i + 1;
            }
        }

        string last = list[start..].Trim();
        if (last.Length > 0) items.Add(last);
        return items;
    }

    private static string Unquote(string value)
    {
        value = value.Trim();
        if (value.Length < 2 || value[0] != value[^1] || value[0] is not ('\'' or '"')) return value;
        return value[0] == '\'' ? value[1..^1].Replace("''", "'", StringComparison.Ordinal) : value[1..^1].Replace("\\\"", "\"", StringComparison.Ordinal);
    }
}
