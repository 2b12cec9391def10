using System.Text.RegularExpressions;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests;

/// <summary>Which room may use which: what CONTRIBUTING.md's table says, read from the sources.</summary>
/// <remarks>
/// A room is a folder of the library. A file uses a room where it has a `using` of the room's namespace, names a type through
/// that namespace, or names a type of the common namespace that is declared in the room.
/// </remarks>
public sealed partial class ArchitectureTests
{
    private const string Common = "SegmentAnything";

    private static readonly string Library = Path.Combine(TestPaths.Repository, "src", Common);

    // In the table's order: from the ground up.
    private static readonly Dictionary<string, string[]> Arrows = ReadTable();

    private static readonly List<Source> Sources =
    [
        .. Directory.EnumerateFiles(Library, "*.cs", SearchOption.AllDirectories)
            .Where(path => !Path.GetRelativePath(Library, path).StartsWith("obj", StringComparison.Ordinal))
            .Select(path => new Source(path)),
    ];

    [Fact]
    public void EveryRoom_IsInTheTable_AndUsesOnlyRoomsAboveIt()
    {
        string[] rooms = [.. Arrows.Keys];
        Assert.Equal(Sources.Select(s => s.Room).OfType<string>().Distinct().Order(), rooms.Order());
        foreach ((string room, string[] used) in Arrows)
            Assert.All(used, other => Assert.True(Array.IndexOf(rooms, other) is >= 0 and var place && place < Array.IndexOf(rooms, room), $"{room} may not use {other}: it is not above it."));
    }

    [Fact]
    public void EveryFile_UsesOnlyRoomsThatTheTableAllows()
    {
        Dictionary<string, string?> declared = [];
        foreach (Source source in Sources.Where(s => s.Namespace == Common))
        {
            foreach (string type in source.Declared) declared[type] = source.Room;
        }

        List<string> wrong = [];
        foreach (Source source in Sources.Where(s => s.Room is not null))
        {
            foreach (string used in source.UsedNamespaces(Arrows.Keys).Concat(source.Words.Select(w => declared.GetValueOrDefault(w)).OfType<string>()).Distinct())
            {
                if (used != source.Room && !Arrows[source.Room!].Contains(used)) wrong.Add($"{Path.GetRelativePath(Library, source.Path)} uses {used}");
            }

            // The facade stands above all rooms.
            foreach (string word in source.Words.Where(w => declared.TryGetValue(w, out string? room) && room is null))
                wrong.Add($"{Path.GetRelativePath(Library, source.Path)} uses {word}");
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
    }

    [Fact]
    public void EveryArrow_IsOfUse()
    {
        Dictionary<string, string?> declared = [];
        foreach (Source source in Sources.Where(s => s.Namespace == Common))
        {
            foreach (string type in source.Declared) declared[type] = source.Room;
        }

        foreach ((string room, string[] allowed) in Arrows.Where(a => a.Key != "Families"))
        {
            HashSet<string> used = [.. Sources.Where(s => s.Room == room)
                .SelectMany(s => s.UsedNamespaces(Arrows.Keys).Concat(s.Words.Select(w => declared.GetValueOrDefault(w)).OfType<string>()))];
            Assert.All(allowed, other => Assert.True(used.Contains(other), $"{room} uses nothing of {other}: take the arrow out of the table."));
        }
    }

    [Fact]
    public void OnlyExecution_KnowsOnnxRuntime() =>
        Assert.All(Sources.Where(s => s.Room != "Execution"), s => Assert.DoesNotContain("Microsoft.ML.OnnxRuntime", s.Code, StringComparison.Ordinal));

    [Fact]
    public void OnlyFamilies_NamesAFamily() =>
        Assert.All(Sources.Where(s => s.Room != "Families"), s => Assert.DoesNotMatch(FamilyNamespace(), s.Code));

    private static Dictionary<string, string[]> ReadTable()
    {
        string text = File.ReadAllText(Path.Combine(TestPaths.Repository, "CONTRIBUTING.md"));
        int start = text.IndexOf("| room | holds | may use |", StringComparison.Ordinal);
        Dictionary<string, string[]> table = [];
        foreach (string line in text[start..].Split('\n').Skip(2).TakeWhile(l => l.StartsWith('|')))
        {
            string[] cells = line.Split('|', StringSplitOptions.TrimEntries);
            table.Add(cells[1].Trim('`'), [.. Name().Matches(cells[3]).Select(m => m.Groups[1].Value)]);
        }

        return table;
    }

    [GeneratedRegex(@"`(\w+)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"SegmentAnything\.Families\.\w")]
    private static partial Regex FamilyNamespace();

    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/|""(?:\\.|[^""\\\n])*""", RegexOptions.Singleline)]
    private static partial Regex TextAndComments();

    // Of types that are not inside of others.
    [GeneratedRegex(@"^(?:[a-z]+ )*(?:class|struct|interface|enum|record)\s+(?:struct\s+|class\s+)?(\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    // Whose type has another name.
    [GeneratedRegex(@"(?!\b(\w+)\?? \1\b)\b[\w>\]?]+ ([A-Z]\w*) (?:\{ get|=>)")]
    private static partial Regex Property();

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*")]
    private static partial Regex Word();

    // Those of ONNX's format are generated, so they are in no source.
    private static bool IsTypeOf(string room, string name) =>
        room == "Onnx" || Sources.Any(s => s.Namespace == $"{Common}.{room}" && s.Declared.Contains(name));

    private sealed class Source
    {
        public Source(string path)
        {
            Path = path;
            string[] parts = System.IO.Path.GetRelativePath(Library, path).Split(System.IO.Path.DirectorySeparatorChar);
            Room = parts.Length > 1 ? parts[0] : null;
            Code = TextAndComments().Replace(File.ReadAllText(path), "");
            Namespace = Regex.Match(Code, @"^namespace ([\w.]+)", RegexOptions.Multiline).Groups[1].Value;
            Declared = [.. Declaration().Matches(Code).Select(m => m.Groups[1].Value)];
            // A property may be called as a type is that it has nothing to do with.
            HashSet<string> properties = [.. Property().Matches(Code).Select(m => m.Groups[2].Value)];
            Words = [.. Word().Matches(Code).Select(m => m.Value).Where(word => !properties.Contains(word))];
        }

        public string Path { get; }

        /// <summary>Null at the root of the library.</summary>
        public string? Room { get; }

        /// <summary>Without comments and texts.</summary>
        public string Code { get; }

        public string Namespace { get; }

        public HashSet<string> Declared { get; }

        public HashSet<string> Words { get; }

        public IEnumerable<string> UsedNamespaces(IEnumerable<string> rooms) => rooms.Where(room =>
            Code.Contains($"{Common}.{room};", StringComparison.Ordinal) && Namespace != $"{Common}.{room}"
            || Code.Contains($"{Common}.{room}.", StringComparison.Ordinal) && !Namespace.StartsWith($"{Common}.{room}", StringComparison.Ordinal)
            || Namespace != $"{Common}.{room}" && Regex.Matches(Code, $@"(?<![\w.]){room}\.([A-Z]\w*)").Any(m => IsTypeOf(room, m.Groups[1].Value)));
    }
}
