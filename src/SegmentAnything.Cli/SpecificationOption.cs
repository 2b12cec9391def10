using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json;

namespace SegmentAnything.Cli;

/// <summary>The option <c>--spec</c>, alike in every command that opens checkpoints: what shapes of weights do not tell, from a file.</summary>
/// <remarks>
/// The file is a JSON object with the members of <see cref="ModelSpecification"/>, and for SAM 2 those of <see cref="Sam2Spec"/>:
/// <c>{"embedWidth": 96, "heads": 1, "blocksPerStage": [1, 2, 7, 2], "globalBlocks": [5, 7, 9], "windows": [8, 4, 14, 7], "imageSize": 1024}</c>.
/// </remarks>
internal sealed class SpecificationOption
{
    private const string ImageSize = "imageSize", Heads = "heads", EmbedWidth = "embedWidth",
        BlocksPerStage = "blocksPerStage", GlobalBlocks = "globalBlocks", Windows = "windows";

    // What only SAM 2 has; the last may be left out.
    private static readonly string[] OnlySam2 = [EmbedWidth, BlocksPerStage, GlobalBlocks, Windows];
    private static readonly string[] Known = [ImageSize, Heads, .. OnlySam2];

    private readonly Option<string?> _file = new("--spec")
    {
        Description = $"For a checkpoint that is no published model's size: a JSON file with what its weights do not show ({string.Join(", ", Known)}).",
        HelpName = "FILE.json",
    };

    /// <summary>Adds it to a command.</summary>
    public void AddTo(Command command) => command.Options.Add(_file);

    /// <summary>What the file says; null where none is given.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="FormatException">It is no specification; the message names the member.</exception>
    public ModelSpecification? Read(ParseResult parsed) => parsed.GetValue(_file) is { } path ? Read(path) : null;

    internal static ModelSpecification Read(string path)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.ValueKind != JsonValueKind.Object) throw Bad($"is no JSON object. Expected members are {string.Join(", ", Known)}.");
            Dictionary<string, JsonElement> members = [];
            foreach (JsonProperty member in json.RootElement.EnumerateObject())
            {
                if (!Known.Contains(member.Name)) throw Bad($"has an unknown member '{member.Name}'. Expected are {string.Join(", ", Known)}.");
                if (!members.TryAdd(member.Name, member.Value)) throw Bad($"has '{member.Name}' twice.");
            }

            if (members.Count == 0) throw Bad($"is empty. Expected members are {string.Join(", ", Known)}.");
            if (!OnlySam2.Any(members.ContainsKey)) return new ModelSpecification { ImageSize = Optional(ImageSize), Heads = Optional(Heads) };
            Sam2Spec spec = new()
            {
                EmbedWidth = Optional(EmbedWidth) ?? throw Missing(EmbedWidth),
                BlocksPerStage = List(BlocksPerStage) ?? throw Missing(BlocksPerStage),
                GlobalBlocks = List(GlobalBlocks) ?? throw Missing(GlobalBlocks),
                Heads = Optional(Heads) ?? throw Missing(Heads),
                ImageSize = Optional(ImageSize),
            };
            return List(Windows) is { } windows ? spec with { Windows = windows } : spec;

            int? Optional(string name) => members.TryGetValue(name, out JsonElement value) ? Integer(value, name) : null;

            ImmutableArray<int>? List(string name) => !members.TryGetValue(name, out JsonElement value) ? null
                : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select((item, i) => Integer(item, $"{name}[{i}]"))]
                : throw Bad($"has '{name}': {value.GetRawText()}; expected a list of whole numbers.");
        }
        catch (JsonException e)
        {
            throw new FormatException($"'{path}' is no JSON: {e.Message}", e);
        }

        int Integer(JsonElement value, string name) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 0
            ? number
            : throw Bad($"has '{name}': {value.GetRawText()}; expected a whole number.");

        FormatException Missing(string name) => Bad($"has no '{name}', which a SAM 2 needs (all of {EmbedWidth}, {Heads}, {BlocksPerStage}, {GlobalBlocks}).");

        FormatException Bad(string what) => new($"The specification '{path}' {what}");
    }
}
