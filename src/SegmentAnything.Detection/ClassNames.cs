using System.Globalization;
using System.Text;
using System.Text.Json;
using SegmentAnything.Detection.Layouts;

namespace SegmentAnything.Detection;

/// <summary>The names of a model's classes, from where its makers write them.</summary>
internal static class ClassNames
{
    private const int MostClasses = 100_000;

    /// <summary>The user's names, or else the file's, or else those of config.json beside it, or else none.</summary>
    public static IReadOnlyDictionary<int, string> Of(DetectorSignature signature, IReadOnlyList<string>? given)
    {
        if (given is not null) return given.Select((name, number) => (number, name)).ToDictionary(pair => pair.number, pair => pair.name);
        if (signature.Metadata.TryGetValue("names", out string? names)) return ParsePython(names);
        if (signature.ReadJson("config.json") is { } config && config.TryGetProperty("id2label", out JsonElement labels) && labels.ValueKind == JsonValueKind.Object)
        {
            var byNumber = new Dictionary<int, string>();
            foreach (JsonProperty label in labels.EnumerateObject())
            {
                if (int.TryParse(label.Name, CultureInfo.InvariantCulture, out int number) && label.Value.ValueKind == JsonValueKind.String)
                    byNumber[number] = label.Value.GetString()!;
            }

            return byNumber;
        }

        return new Dictionary<int, string>();
    }

    /// <summary>
    /// Reads a Python dictionary or list literal of names, such as {0: 'person', 1: "the cat's"}: what Ultralytics writes into a file.
    /// Whatever is no such literal gives no names.
    /// </summary>
    public static IReadOnlyDictionary<int, string> ParsePython(string text)
    {
        var names = new Dictionary<int, string>();
        int at = 0, next = 0;
        Skip();
        if (at >= text.Length || text[at] is not ('{' or '[')) return names;
        bool isList = text[at++] == '[';
        while (names.Count < MostClasses)
        {
            Skip();
            int number = next++;
            if (!isList)
            {
                int start = at;
                while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
                if (!int.TryParse(text.AsSpan(start, at - start), CultureInfo.InvariantCulture, out number)) return names;
                Skip();
                if (at >= text.Length || text[at++] != ':') return names;
                Skip();
            }

            if (ReadString() is not { } name) return names;
            names[number] = name;
            Skip();
            if (at >= text.Length || text[at++] != ',') return names;
        }

        return names;

        void Skip()
        {
            while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
        }

        string? ReadString()
        {
            if (at >= text.Length || text[at] is not ('\'' or '"')) return null;
            char quote = text[at++];
            var value = new StringBuilder();
            while (at < text.Length && text[at] != quote)
            {
                if (text[at] == '\\' && at + 1 < text.Length) value.Append(Unescape());
                else value.Append(text[at++]);
            }

            if (at >= text.Length) return null;
            at++;
            return value.ToString();
        }

        string Unescape()
        {
            char kind = text[at + 1];
            at += 2;
            int digits = kind switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            if (digits > 0 && at + digits <= text.Length
                && int.TryParse(text.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) && Rune.IsValid(code))
            {
                at += digits;
                return new Rune(code).ToString();
            }

            return kind switch { 'n' => "\n", 't' => "\t", 'r' => "\r", _ => kind.ToString() };
        }
    }
}
