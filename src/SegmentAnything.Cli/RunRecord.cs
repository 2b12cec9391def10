using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace SegmentAnything.Cli;

/// <summary>
/// What this tool has written into a folder, one line an image, in a file of the folder: a file that is not in it, or has
/// changed since, is somebody else's, and is not overwritten; an image whose files are all in it need not be done again.
/// </summary>
/// <remarks><c>{"image":"a.png","settings":"6f9a…","files":{"a.json":"SHA-256","a.png":"SHA-256"}}</c></remarks>
internal sealed class RunRecord
{
    /// <summary>The record's name.</summary>
    public const string FileName = ".segment-anything.jsonl";

    private readonly string _folder;
    // Every file that was ever written: one that was recorded and not written before the process was killed leaves the one before it.
    private readonly HashSet<(string Name, string Hash)> _written = [];
    private readonly Dictionary<string, string> _latest = [];
    private readonly HashSet<(string Image, string Settings)> _images = [];

    /// <summary>Reads the record of a folder, if it has one. Lines that are no record are passed over.</summary>
    public RunRecord(string folder)
    {
        _folder = folder;
        string path = Path.Combine(folder, FileName);
        if (FileStatus.Of(path) is not { Kind: FileKind.Regular }) return;
        foreach (string line in File.ReadLines(path)) Read(line);
    }

    /// <summary>A name for how masks are looked for: what has another is done again.</summary>
    public static string SettingsOf(params IEnumerable<string> settings) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', settings))))[..16];

    /// <summary>Whether a file of the folder may be written: it is not there, or is as this tool wrote it.</summary>
    public bool MayWrite(string name) => !File.Exists(Path.Combine(_folder, name)) || HashOf(name) is { } hash && _written.Contains((name, hash));

    /// <summary>Whether an image was done with these settings, and its files are as they were written.</summary>
    public bool IsDone(string image, string settings, params ReadOnlySpan<string> names)
    {
        if (!_images.Contains((image, settings))) return false;
        foreach (string name in names)
        {
            if (!_latest.TryGetValue(name, out string? latest) || HashOf(name) != latest) return false;
        }

        return true;
    }

    /// <summary>Writes an image's files, then the line about them.</summary>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public void Write(string image, string settings, params ReadOnlySpan<(string Name, byte[] Bytes)> files)
    {
        using MemoryStream line = new();
        // A process that was killed may have left half a line.
        line.WriteByte((byte)'\n');
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteString("image", image);
            json.WriteString("settings", settings);
            json.WriteStartObject("files");
            foreach ((string name, byte[] bytes) in files) json.WriteString(name, Convert.ToHexStringLower(SHA256.HashData(bytes)));
            json.WriteEndObject();
            json.WriteEndObject();
        }

        // First: a file that was written and is not in the record would be taken for somebody else's.
        using (FileStream record = new(Path.Combine(_folder, FileName), FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
            record.Write(line.GetBuffer().AsSpan(0, (int)line.Length));
        foreach ((string name, byte[] bytes) in files) AtomicFile.Write(Path.Combine(_folder, name), bytes);
    }

    private void Read(string line)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind != JsonValueKind.Object) return;
            if (json.RootElement.GetProperty("image").GetString() is not { } image || json.RootElement.GetProperty("settings").GetString() is not { } settings) return;
            foreach (JsonProperty file in json.RootElement.GetProperty("files").EnumerateObject())
            {
                _latest[file.Name] = file.Value.GetString() ?? "";
                _written.Add((file.Name, _latest[file.Name]));
            }

            // The latest run is what the files are of.
            _images.RemoveWhere(i => i.Image == image);
            _images.Add((image, settings));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            // A line that was cut short, or is none of ours.
        }
    }

    // Null for what is no file.
    private string? HashOf(string name)
    {
        string path = Path.Combine(_folder, name);
        if (FileStatus.Of(path) is not { Kind: FileKind.Regular }) return null;
        using FileStream file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }
}
